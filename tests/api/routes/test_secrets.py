"""Secrets over a real server: kept sealed, told to nobody."""

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.store.tables import secrets
from tests.api.conftest import Bench

PATH = "/v1/secrets"


async def put(bench: Bench, name: str, value: object, wanted: int = 201) -> str:
    answer = await bench.client.put(f"{PATH}/{name}", json={"value": value})
    assert answer.status_code == wanted, answer.text
    return answer.text


@pytest.mark.both_stores
async def test_a_secret_is_kept_replaced_listed_and_deleted(bench: Bench) -> None:
    made = await put(bench, "crm", "s3cret-1")
    await put(bench, "crm", "s3cret-2\nsecond line", 200)
    await put(bench, "mail-box_2", "x")
    listed = (await bench.client.get(PATH, params={"limit": "1"})).json()
    assert [one["name"] for one in listed["data"]] == ["crm"]
    more = {"cursor": listed["next_cursor"]}
    rest = (await bench.client.get(PATH, params=more)).json()
    assert [one["name"] for one in rest["data"]] == ["mail-box_2"]
    assert "s3cret" not in made + str(listed)
    kept = await bench.store.secrets.sealed({"crm", "none"})
    assert bench.services.seal.open(kept["crm"]) == "s3cret-2\nsecond line"
    assert (await bench.client.delete(f"{PATH}/crm")).status_code == 204
    assert (await bench.client.delete(f"{PATH}/crm")).status_code == 404


async def test_the_database_does_not_hold_its_text(bench: Bench) -> None:
    await put(bench, "crm", "s3cret")

    async def work(connection: AsyncConnection) -> str:
        return repr((await connection.execute(select(secrets))).all())

    stored = await bench.store.database.read(work)
    assert "crm" in stored
    assert "s3cret" not in stored


@pytest.mark.parametrize("name", ["1st", "a b", "ä", "x" * 65, "a.b"])
async def test_a_wrong_name_is_refused(bench: Bench, name: str) -> None:
    answer = await bench.client.put(f"{PATH}/{name}", json={"value": "x"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "name"


@pytest.mark.parametrize("value", ["", None, 5, "x" * 8193, "a\0b"])
async def test_a_wrong_text_is_refused(bench: Bench, value: object) -> None:
    answer = await bench.client.put(f"{PATH}/crm", json={"value": value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/value"


async def test_secrets_are_for_administrators(bench: Bench) -> None:
    _, key = await bench.store.keys.create("reader", "read")
    answer = await bench.client.get(PATH, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403
