"""`offhook dialplan test` on a real store."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli import main
from api.resources.trunk import NewTrunk
from api.settings import StoreSection
from api.store import Store


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "offhook.toml"
    path.write_text(
        f'[store]\npath = "{tmp_path / "offhook.db"}"\n'
        '[calls]\nnumbers = ["+15559876543"]\ndefault_country = "US"\n'
    )
    return str(path)


def offhook(config: str, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["dialplan", "test", *arguments, "--config", config])
    return result.exit_code, result.output


async def add_trunk(config: str) -> None:
    store = await Store.open(StoreSection(path=Path(config).with_name("offhook.db")))
    rules = [{"prefix": "+44"}, {"prefix": "+", "prepend": "011"}]
    await store.trunks.create(NewTrunk("x", number_rules=rules, extensions=["2XX"]))
    await store.numbers.seed("trunk", ["+15559876543"])
    await store.close()


def test_the_trunk_of_the_settings_before_the_first_start(config: str) -> None:
    code, told = offhook(config, "(212) 555-0142")
    assert code == 0
    assert "dials PJSIP/+12125550142@trunk" in told


def test_a_trunk_of_the_store(config: str) -> None:
    asyncio.run(add_trunk(config))
    code, told = offhook(config, "+12125550142", "--trunk", "x")
    assert code == 0
    assert "prefix='+44' match='.' prepend='': no" in told
    assert "prefix='+' match='.' prepend='011': 01112125550142" in told
    assert "dials PJSIP/01112125550142@x" in told
    code, told = offhook(config, "200", "--trunk", "x", "--json")
    assert (code, json.loads(told)["dial_string"]) == (0, "PJSIP/200@x")
    code, told = offhook(config, "15559876543", "--inbound", "--from", "2125550142")
    assert (code, "→ +12125550142" in told) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["+4930123456"], "calls.allowed_countries"),
        (["555-0142"], "area code"),
        (["+12125550142", "--trunk", "nobody"], "no such trunk"),
        (["300"], "no extension"),
        (["300", "--inbound"], "none of /v1/numbers"),
    ],
)
def test_what_is_not_dialled_is_told_and_fails(
    config: str, arguments: list[str], told: str
) -> None:
    code, said = offhook(config, *arguments)
    assert code == 1
    assert told in said
