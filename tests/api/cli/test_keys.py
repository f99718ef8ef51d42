"""`offhook keys` on a real store."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli import main
from api.resources.key import SCOPES


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "offhook.toml"
    path.write_text(f'[store]\npath = "{tmp_path / "offhook.db"}"\n')
    return str(path)


def offhook(config: str, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["keys", *arguments, "--config", config])
    return result.exit_code, result.output


def test_a_key_gets_its_scope_and_limit_and_the_list_shows_them(config: str) -> None:
    for scope in SCOPES:
        code, told = offhook(config, "create", f"for-{scope}", "--scope", scope, "--json")
        assert (code, json.loads(told)["scope"]) == (0, scope)
    assert offhook(config, "create", "old-way", "--rate-limit", "600")[0] == 0
    listed = json.loads(offhook(config, "list", "--json")[1])
    assert [(key["name"], key["scope"], key["rate_limit_per_minute"]) for key in listed] == [
        ("for-read", "read", None),
        ("for-call", "call", None),
        ("for-listen", "listen", None),
        ("for-admin", "admin", None),
        ("old-way", "admin", 600),
    ]
    assert "scope" in offhook(config, "list")[1]


def test_the_list_of_a_program_tells_caps_in_one_object(config: str) -> None:
    offhook(config, "create", "crm", "--scope", "call")
    (key,) = json.loads(offhook(config, "list", "--json")[1])
    caps = ("max_calls_per_day", "max_minutes_per_day", "max_calls_per_number_per_day")
    assert key.pop("caps") == dict.fromkeys(caps)
    assert set(key) == {
        *("id", "name", "prefix", "scope", "rate_limit_per_minute", "created_at", "revoked_at"),
        "dialect",
    }


def test_a_key_gets_its_dialect(config: str) -> None:
    code, told = offhook(config, "create", "crm", "--dialect", "revox", "--json")
    assert (code, json.loads(told)["dialect"]) == (0, "revox")
    (key,) = json.loads(offhook(config, "list", "--json")[1])
    assert key["dialect"] == "revox"
    assert offhook(config, "create", "crm", "--dialect", "vapi")[0] == 2


def test_an_unknown_scope_is_bad_usage(config: str) -> None:
    code, told = offhook(config, "create", "x", "--scope", "root")
    assert code == 2
    assert "'read', 'call', 'listen', 'admin'" in told
