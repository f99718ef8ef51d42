"""The do-not-call list over a real server: added to, imported, exported, and what it stops."""

import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.base.lifecycle import TERMINAL
from api.cli import main
from api.http.csv_transfer import MAX_FILE_BYTES
from api.policy.retry import parse_retry
from api.resources.attempt import Ended
from api.resources.call import NewCall
from api.resources.do_not_call import DoNotCallObject
from api.store.do_not_call import add_number
from tests.api.conftest import Bench
from tests.api.story import BUSY, NODE, NUMBER, OURS, claimed, new_call, woken

PATH = "/v1/do_not_call"
CSV = {"Content-Type": "text/csv"}


async def listed(bench: Bench, query: str = "") -> list[str]:
    response = await bench.client.get(PATH + query)
    assert response.status_code == 200, response.text
    return [one["number"] for one in response.json()["data"]]


async def load(bench: Bench, text: str | bytes, query: str = "") -> Any:
    return await bench.client.post(f"{PATH}/import{query}", content=text, headers=CSV)


@pytest.mark.both_stores
async def test_a_number_is_put_on_the_list_read_and_taken_off(bench: Bench) -> None:
    body = {"number": NUMBER, "reason": "asked by letter"}
    response = await bench.client.post(PATH, json=body)
    assert (response.status_code, response.headers["location"]) == (201, f"{PATH}/{NUMBER}")
    made = response.json()
    DoNotCallObject.model_validate(made, strict=True)
    assert made | body | {"source": "api", "call_id": None} == made
    again = await bench.client.post(PATH, json={"number": NUMBER, "reason": "and again"})
    assert (again.status_code, again.json()) == (200, made)
    for path in (f"{PATH}/{NUMBER}", f"{PATH}/%2B{NUMBER[1:]}"):
        assert (await bench.client.get(path)).json() == made
    assert (await bench.client.delete(f"{PATH}/{NUMBER}")).status_code == 204
    for path in (f"{PATH}/{NUMBER}", f"{PATH}/nobody", f"{PATH}/%00"):
        assert (await bench.client.get(path)).status_code == 404
        assert (await bench.client.delete(path)).status_code == 404


async def test_a_wrong_number_is_refused_with_a_pointer(bench: Bench) -> None:
    for body, pointer in (
        ({"number": "555 123"}, "/number"),
        ({}, "/number"),
        ({"number": NUMBER, "reason": "x" * 501}, "/reason"),
        ({"number": NUMBER, "source": "outcome"}, "/source"),
    ):
        response = await bench.client.post(PATH, json=body)
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == pointer


@pytest.mark.both_stores
async def test_the_list_comes_in_pages_the_latest_first_and_by_prefix(bench: Bench) -> None:
    numbers = [f"+4930123456{digit}" for digit in range(5)] + [NUMBER]
    for number in numbers:
        await bench.store.do_not_call.add(number, "")
    page = (await bench.client.get(f"{PATH}?limit=4")).json()
    assert page["has_more"]
    rest = await listed(bench, f"?limit=4&cursor={page['next_cursor']}")
    assert [one["number"] for one in page["data"]] + rest == numbers[::-1]
    assert await listed(bench, "?prefix=%2B49") == numbers[-2::-1]
    assert await listed(bench, "?prefix=%2B4930123457") == []
    for query in ("?prefix=%25", "?prefix=49", "?cursor=mine", "?number=1"):
        assert (await bench.client.get(PATH + query)).status_code == 422


# -- what it stops -------------------------------------------------------------------------------


async def test_a_call_to_a_listed_number_is_refused(bench: Bench) -> None:
    await bench.store.do_not_call.add(NUMBER, "")
    response = await bench.client.post("/v1/calls", json={"to": NUMBER})
    assert (response.status_code, response.json()["code"]) == (422, "do_not_call")


@pytest.mark.both_stores
async def test_calls_that_wait_for_a_number_end_at_once(bench: Bench) -> None:
    """Whether they wait for their time or for another attempt."""
    store = bench.store
    again = (
        await claimed(store, retry=parse_retry({}), zones=("America/New_York",), force_now=True)
    ).call
    await store.calls.record_ended(again.id, Ended(time.time(), BUSY, "busy"))
    later = await new_call(store, scheduled_at=4e9)
    other = await store.calls.create(NewCall("+15550000001", OURS, "hi", scheduled_at=4e9))
    assert not (await store.claims.take(5, NODE)).claims
    assert (await store.calls.get(again.id)).status == "queued"
    await store.claims.wait(0)  # what was to be told so far
    await bench.client.post(PATH, json={"number": NUMBER})
    await woken(store)
    assert not (await store.claims.take(5, NODE)).claims
    for stopped in (again, later):
        ended = await store.calls.get(stopped.id)
        assert (ended.status in TERMINAL, ended.end_reason) == (True, "do_not_call")
    assert (await store.calls.get(other.id)).status == "queued"


async def test_an_import_stops_calls_too(bench: Bench) -> None:
    call = await new_call(bench.store, scheduled_at=4e9)
    await load(bench, NUMBER)
    assert not (await bench.store.claims.take(5, NODE)).claims
    assert (await bench.store.calls.get(call.id)).end_reason == "do_not_call"


async def test_what_a_call_came_to_puts_its_number_on_the_list(bench: Bench) -> None:
    """RV-312: `do_not_contact` is for good."""

    async def work(transaction: Any) -> bool:
        return await add_number(
            transaction, NUMBER, source="outcome", reason="said so", call_id="c", now=1.0
        )

    database = bench.store.database
    assert await database.write(work)
    assert not await database.write(work)
    found = await bench.store.do_not_call.get(NUMBER)
    assert (found.source, found.reason, found.call_id) == ("outcome", "said so", "c")


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.both_stores
async def test_a_file_is_imported_whole_or_not_at_all(bench: Bench) -> None:
    text = "Phone;Reason\r\n+49 (30) 123-456;no\r\n030 123;x\r\n+15551234567;\r\n;y\r\n"
    refused = await load(bench, text)
    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    told = [error["detail"] for error in refused.json()["errors"]]
    assert [line[:28] for line in told] == [
        "line 3: number must be in E.",
        "line 5: number must be in E.",
    ]
    assert await listed(bench) == []
    taken = await load(bench, text, "?partial=true")
    report = taken.json()
    assert (taken.status_code, report["added"], report["known"], report["refused"]) == (
        200,
        2,
        0,
        2,
    )
    assert [error["line"] for error in report["errors"]] == [3, 5]
    assert sorted(await listed(bench)) == ["+15551234567", "+4930123456"]
    assert (await load(bench, "+4930123456\n+4930123457")).json() == {
        "added": 1,
        "known": 1,
        "refused": 0,
        "errors": [],
    }


async def test_a_file_that_is_none_is_refused(bench: Bench) -> None:
    assert (await load(bench, b"\xff")).json()["code"] == "malformed_csv"
    assert (await load(bench, "number", "?partial=maybe")).status_code == 422
    assert (await load(bench, "number", "?dry=1")).status_code == 422
    assert (await load(bench, b"+" * (MAX_FILE_BYTES + 1))).status_code == 413
    assert (await load(bench, b"")).json()["added"] == 0


async def test_the_list_goes_out_as_a_file_that_comes_back(bench: Bench) -> None:
    reasons = {"+15551234567": "=cmd()", "+15551234568": 'a "b", c', "+15551234569": ""}
    for number, reason in reasons.items():
        await bench.store.do_not_call.add(number, reason)
    response = await bench.client.get(f"{PATH}/export")
    assert response.headers["content-type"].startswith("text/csv")
    assert "do_not_call.csv" in response.headers["content-disposition"]
    assert response.text.splitlines()[0] == "number,reason,source,call_id,created_at"
    for number in reasons:
        await bench.store.do_not_call.delete(number)
    assert (await load(bench, response.content)).json()["added"] == 3
    for number, reason in reasons.items():
        assert (await bench.store.do_not_call.get(number)).reason == reason


@pytest.mark.both_stores
async def test_a_long_list_goes_out_whole(bench: Bench) -> None:
    numbers = [f"+4930{index:07}" for index in range(1234)]
    assert await bench.store.do_not_call.add_many([(number, "") for number in numbers]) == 1234
    lines = (await bench.client.get(f"{PATH}/export")).text.splitlines()
    assert sorted(line.split(",")[0] for line in lines[1:]) == numbers


def test_the_command_line_imports_and_exports(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    environment = {"OFFHOOK_STORE__PATH": str(tmp_path / "offhook.db")}

    def offhook(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["dnc", *arguments], env=environment)

    file.write_text("number,reason\n+15551234567,no\n123,\n")
    refused = offhook("import", str(file))
    assert (refused.exit_code, "line 3: number must be" in refused.output) == (1, True)
    taken = offhook("import", str(file), "--partial", "--json")
    assert taken.exit_code == 0
    assert '"added": 1' in taken.output
    assert '"line": 3' in taken.output
    written = offhook("export")
    assert written.output.splitlines()[1].startswith("+15551234567,no,import,,")
    assert '"number": "+15551234567"' in offhook("export", "--json").output
    assert offhook("import", str(tmp_path / "nowhere.csv")).exit_code == 2
