"""Sealed texts: only the right key opens them."""

import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.text import MASK
from api.cli import main
from api.cli.store_backup import backup_store
from api.egress.sealing import PREFIX, Seal, SealError, new_key
from api.resources.masking import masked, sealed, unmasked, unsealed
from api.resources.webhook import NewEndpoint
from api.settings import StoreSection
from api.store import Store
from api.store.tables import idempotency_keys, kept_values, webhook_endpoints
from tests.api.conftest import Bench

CONFIG: dict[str, Any] = {
    "llm": {"model": "m", "api_url": "http://10.0.0.5/v1", "api_key": "k-1"},
    "tools": [
        {
            "type": "http",
            "name": "stock",
            "headers": [
                {"key": "Authorization", "value": "Bearer {{secret.crm}}"},
                {"key": "Accept", "value": "text/plain"},
            ],
            "query_params": [{"key": "api_key", "value": "k-3"}],
            "url": "https://crm.example.org/stock",
        }
    ],
}


def test_a_sealed_text_is_opened_with_its_key_alone() -> None:
    seal = Seal(new_key())
    text = seal.seal("crm-token")
    assert text.startswith(PREFIX)
    assert "crm-token" not in text
    assert seal.open(text) == "crm-token"
    assert seal.open("not sealed") == "not sealed"
    with pytest.raises(SealError, match=r"another key.*store\.seal_key"):
        Seal(new_key()).open(text)


def test_a_text_that_looks_sealed_is_sealed_all_the_same() -> None:
    seal = Seal(new_key())
    assert seal.open(seal.seal(PREFIX + "x")) == PREFIX + "x"


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    where = StoreSection(path=tmp_path / "data" / "offhook.db")
    text = Seal.of(where).seal("a")
    (file,) = (tmp_path / "data").iterdir()
    assert file.name == "seal.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)  # as whoever restored it left it
    assert Seal.of(where).open(text) == "a"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_settings_key_comes_first(tmp_path: Path) -> None:
    key = new_key()
    where = StoreSection(path=tmp_path / "offhook.db", seal_key=SecretStr(key))
    assert Seal(key).open(Seal.of(where).seal("a")) == "a"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", ["", "short", "ä" * 44])
def test_what_is_no_key_is_refused(bad: str, tmp_path: Path) -> None:
    with pytest.raises(SealError, match="32 bytes"):
        Seal(bad)
    (tmp_path / "seal.key").write_text(bad)
    with pytest.raises(SealError, match="32 bytes"):
        Seal.of(StoreSection(path=tmp_path / "offhook.db"))


@pytest.mark.both_stores
async def test_a_store_takes_no_other_key_than_its_first(store: Store) -> None:
    key = new_key()
    await store.secrets.check_seal(Seal(key))
    await store.secrets.check_seal(Seal(key))
    with pytest.raises(SealError, match="another key"):
        await store.secrets.check_seal(Seal(new_key()))


async def kept(store: Store) -> str:
    """Every row of the tables that hold what signs and opens."""
    tables = (kept_values, webhook_endpoints, idempotency_keys)

    async def work(connection: AsyncConnection) -> str:
        return repr([(await connection.execute(select(table))).all() for table in tables])

    return await store.database.read(work)


@pytest.mark.both_stores
async def test_nothing_that_signs_or_opens_is_kept_as_it_is(bench: Bench) -> None:
    """Nor in the answers that an Idempotency-Key keeps, which are given again."""
    told = []
    for path, body in (
        ("/v1/webhook_endpoints", {"url": "https://hooks.example.org/"}),
        ("/v1/webhook_secret/rotate", {}),
    ):
        headers = {"Idempotency-Key": path}
        made, again = [await bench.client.post(path, json=body, headers=headers) for _ in range(2)]
        assert made.is_success, made.text
        assert again.text == made.text
        told.append(made.json())
    endpoint, default = told
    path = f"/v1/webhook_endpoints/{endpoint['id']}/rotate_secret"
    rotated = (await bench.client.post(path)).json()
    texts = [one["signing_secret"] for one in (endpoint, default, rotated)]
    stored = await kept(bench.store)
    assert not [text for text in texts if text in stored]
    assert "whsec_" not in stored
    found = await bench.store.endpoints.get(endpoint["id"])
    assert (found.secret, found.previous_secret) == (texts[2], texts[0])


async def test_a_backup_opens_with_the_key_of_its_store(
    where: StoreSection, store: Store, tmp_path: Path
) -> None:
    made = await store.endpoints.create(NewEndpoint("https://hooks.example.org/"))
    default = await store.signing_secret.get()
    copy = tmp_path / "restored" / "offhook.db"
    copy.parent.mkdir()
    backup_store(where.path, copy)
    assert b"whsec_" not in copy.read_bytes()
    alone = await Store.open(copy)
    with pytest.raises(SealError, match="another key"):
        await alone.signing_secret.get()
    await alone.close()
    shutil.copy(where.path.with_name("seal.key"), copy.with_name("seal.key"))
    restored = await Store.open(copy)
    assert await restored.signing_secret.get() == default
    assert (await restored.endpoints.get(made.id)).secret == made.secret
    await restored.close()


def test_the_command_says_which_key_is_missing(tmp_path: Path) -> None:
    config = tmp_path / "offhook.toml"

    def secret(key: str) -> Result:
        config.write_text(f'[store]\npath = "{tmp_path}/offhook.db"\nseal_key = "{key}"\n')
        return CliRunner().invoke(main, ["webhooks", "secret", "--config", str(config)])

    assert secret(new_key()).exit_code == 0
    refused = secret(new_key())
    assert refused.exit_code == 1
    assert "another key" in refused.output
    assert "Traceback" not in refused.output


def test_keys_and_sensitive_headers_of_a_configuration_are_sealed_and_masked() -> None:
    seal = Seal(new_key())
    body = CONFIG | {"agent": CONFIG, "overrides": {"llm": {"api_key": "k-2"}}}
    kept = sealed(body, seal)
    for word in ("k-1", "k-2", "k-3", "secret.crm"):
        assert word not in repr(kept)
        assert word not in repr(masked(kept))
    assert "text/plain" in repr(kept)
    assert unsealed(kept, seal) == body


def test_a_mask_stands_for_what_was_there_before() -> None:
    """By tool and header, wherever the tool stands now."""
    shown = masked(CONFIG)
    again = shown | {"tools": [{"type": "skip_turn"}, *shown["tools"]]}
    assert unmasked(again, CONFIG)["tools"][1] == CONFIG["tools"][0]
    assert unmasked(shown, {})["llm"]["api_key"] == MASK


def test_a_mask_stands_for_nothing_on_another_server() -> None:
    """Else a key that nobody may read could be sent to whoever asks."""
    shown = masked(CONFIG)
    shown["llm"]["api_url"] = "http://10.0.0.6/v1"
    shown["tools"][0]["url"] = "https://crm.example.org:8443/stock"
    for word in ("k-1", "k-3", "secret.crm"):
        assert word not in repr(unmasked(shown, CONFIG))
    shown["tools"][0]["url"] = "https://CRM.example.org/orders"
    assert "k-3" in repr(unmasked(shown, CONFIG)), "another path is no other server"


@pytest.mark.parametrize(
    "shape", [{"llm": 1, "tools": {}}, {"tools": [1, {"headers": [None, {"key": 1}]}], "agent": []}]
)
def test_what_is_of_another_shape_is_left(shape: dict[str, object]) -> None:
    assert masked(shape) == shape
