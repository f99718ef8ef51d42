"""What nothing can hold, from callers and from models: it is refused, and nothing fails for it
later, on either store."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from api.resources.call import Call
from api.store import Store
from pbx.values import whole_number
from tests.api.conftest import ALIASES, EQUIPPED, Bench, benching
from tests.api.every_body import make_cases
from tests.api.schema_walk import body_schema, error_pointers, operations, places, with_value
from tests.api.story import claimed
from tests.api.switchboard import Office, assert_nothing_is_left, impatient, over, until
from tests.voice_loop.scripted import settle
from voice_loop.prompts import TOOL_CALL_CLOSE, TOOL_CALL_OPEN
from voice_loop.tools import ToolResult, ToolSpec

pytestmark = pytest.mark.both_stores

JSON: Final = {"Content-Type": "application/json"}
BEYOND_DOUBLES: Final = ("1e400", "-1e400", "9" * 400, "9" * 5000)
#: Numbers that JSON and a double hold, and no column for whole numbers, or no calendar.
LARGE: Final = (2**31, 2**63, -(2**63) - 1, 10**30, -(10**30), 1.5e308)
#: Longer than narrow columns are, which PostgreSQL minds.
TEXTS: Final = ("x" * 70, "x" * 300, "\N{PILE OF POO}" * 5000)
TIMES: Final = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "10000-01-01T00:00:00Z",
    "2027-02-30T00:00:00Z",
    *("9" * 400, "9" * 5000),
)
ASKED: Final = "tomorrow please."
LISTS: Final = (
    *("calls", "agents", "messages", "calendar_connections", "secrets", "campaigns", "numbers"),
    *("trunks", "do_not_call", "rates", "webhook_deliveries", "api_keys"),
)


@pytest.fixture
async def roomy(store: Store, tmp_path: Path) -> AsyncIterator[Bench]:
    """With everything configured, and as many requests as one likes."""
    more = EQUIPPED | {"OFFHOOK_SERVER__RATE_LIMIT_PER_MINUTE": "0"}
    async with benching(store, tmp_path, more, ALIASES) as one:
        yield one


async def test_no_body_holds_a_number_beyond_a_double(roomy: Bench) -> None:
    cases = await make_cases(roomy)
    for method, path in operations():
        case = cases[f"{method} {path}"]
        for number in BEYOND_DOUBLES:
            body = json.dumps({**case.bodies[0], "odd": "?"}).replace('"?"', number).encode()
            answer = await roomy.client.request(
                method, path.format(**case.parameters), content=body, headers=JSON
            )
            refused = 400 if "/callingbox/" in path else 422
            assert answer.status_code == refused, (method, path, answer.text)
            assert error_pointers(path, answer.json()) == ["/odd"]
            assert "out of range" in answer.text


async def test_no_body_with_large_numbers_strange_times_or_long_texts_makes_a_list_fail(
    roomy: Bench,
) -> None:
    cases = await make_cases(roomy)
    tried: set[str] = set()
    for method, path in operations():
        case = cases[f"{method} {path}"]
        parameters = case.parameters
        for body in case.bodies:
            for place in places(body_schema(method, path), body):
                numeric = any(place.allows(number) for number in (7, 0.5))
                values: tuple[Any, ...] = LARGE if numeric else ()
                if place.allows("x"):
                    values += (*TIMES, *TEXTS)
                if isinstance(place.value, dict):
                    values += tuple({**place.value, text: text} for text in TEXTS)
                if place.field in tried or not place.path:
                    continue
                tried.add(place.field)
                for value in values:
                    if case.renew is not None:
                        parameters = await case.renew()
                    answer = await roomy.client.request(
                        method,
                        path.format(**parameters),
                        json=with_value(body, place.path, value),
                    )
                    assert answer.status_code < 500, (method, path, place.pointer, value)
    for name in LISTS:
        answer = await roomy.client.get(f"/v1/{name}?limit=200")
        assert answer.status_code == 200, (name, answer.text)


def cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


NO_TIMES: Final[tuple[Any, ...]] = (10**400, 1e400, float("nan"), "nan", None, [])
NO_IDS: Final[tuple[Any, ...]] = ("\0", "\ud800", 7, {}, [1e400])
NO_PAIRS: Final[tuple[Any, ...]] = (7, "ab", {"a": 1, "b": 2}, None, [[], []])
CURSORS: Final = (
    *(cursor([time, "a"]) for time in NO_TIMES),
    *(cursor([1.0, text]) for text in NO_IDS),
    *map(cursor, NO_PAIRS),
    base64.urlsafe_b64encode(b"[" * 10_000).decode(),
    "\N{SNOWMAN}",
)


async def test_no_query_makes_a_list_fail(bench: Bench) -> None:
    for name in set(LISTS) - {"trunks"}:
        for asked in CURSORS:
            answer = await bench.client.get(f"/v1/{name}", params={"cursor": asked})
            assert answer.status_code == 422, (name, asked[:40], answer.text)
        for limit in ("0", "-1", "1e3", "nan", "9" * 40, "000000001" + "9" * 30, "1" * 5000, "²"):
            answer = await bench.client.get(f"/v1/{name}", params={"limit": limit})
            assert answer.status_code == 422, (name, limit, answer.text)
        for number in (10**30, -(10**30), 1.5e308, 1e-320):
            answer = await bench.client.get(f"/v1/{name}", params={"cursor": cursor([number, "a"])})
            assert answer.status_code in (200, 422), (name, number, answer.text)


@pytest.mark.parametrize(
    "path",
    ["/compat/oneinbox/v1/calls?limit=000000001{}", "/compat/oneinbox/v1/calls?offset=000000001{}"],
)
async def test_no_page_of_a_dialect_makes_a_list_fail(bench: Bench, path: str) -> None:
    answer = await bench.client.get(path.format("9" * 30))
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("name", ["created_after", "created_before"])
@pytest.mark.parametrize(
    "time", [*TIMES, "9" * 5000, "0000-00-00T00:00:00Z", "٢٠٢٧-01-01T00:00:00Z"]
)
async def test_no_time_makes_a_list_fail(bench: Bench, name: str, time: str) -> None:
    answer = await bench.client.get("/v1/calls", params={name: time})
    assert answer.status_code in (200, 422), answer.text


async def test_versions_are_read_on_from_any_cursor(bench: Bench) -> None:
    path = (
        f"/v1/agents/{(await bench.client.post('/v1/agents', json={'name': 'Ada'})).json()['id']}"
    )
    for name in ("Bea", "Cem"):
        assert (await bench.client.patch(path, json={"name": name})).is_success
    first = (await bench.client.get(f"{path}/versions?limit=2")).json()
    rest = await bench.client.get(f"{path}/versions", params={"cursor": first["next_cursor"]})
    assert [one["version"] for one in (*first["data"], *rest.json()["data"])] == [3, 2, 1]
    for number in (2.5, 10**30, -1e300):
        asked = cursor([number, path.rpartition("/")[2]])
        answer = await bench.client.get(f"{path}/versions", params={"cursor": asked})
        assert answer.status_code in (200, 422), answer.text


# -- what models say -------------------------------------------------------------------------------


class Look:
    """A tool that is not to be reached."""

    spec = ToolSpec("look", "Looks it up.", {"type": "object"})
    say = ""

    async def __call__(self, arguments: Mapping[str, Any], /) -> ToolResult:
        raise AssertionError(arguments)


@pytest.fixture
async def office(
    monkeypatch: pytest.MonkeyPatch, store: Store, tmp_path: Path
) -> AsyncIterator[Office]:
    impatient(monkeypatch)
    before = asyncio.all_tasks()
    yield Office(store, tmp_path / "recorded", tools=lambda *_: (Look(),))
    await assert_nothing_is_left(before)


async def held(office: Office, returns: Mapping[str, Any]) -> Call:
    """A whole call, in which the person says one thing."""
    claim = await claimed(office.store, returns=returns)
    running = asyncio.create_task(office.runner(claim).run())
    attempt = await office.switch.dialed()
    attempt.ring()
    attempt.answer()
    await until(office.store, claim.call.id, "answered")
    await settle()
    await attempt.until_spoken()
    await office.hears(attempt, ASKED)
    attempt.end()
    await asyncio.wait_for(running, 10)
    return await over(office.store, claim.call.id)


@pytest.mark.parametrize(
    "value",
    ["NaN", "-Infinity", *BEYOND_DOUBLES, '"\\ud800"', '"\\u0000"', '{"\\udfff": 1}'],
)
async def test_a_model_that_says_it_is_told_and_the_call_goes_on(
    office: Office, tmp_path: Path, value: str
) -> None:
    said = f'{{"n": {value}}}'
    used = f'{{"name": "look", "arguments": {said}}}'
    office.mind.answers[ASKED] = f"{TOOL_CALL_OPEN}{used}{TOOL_CALL_CLOSE}"
    office.mind.result = said
    call = await held(office, {"n": "number"})
    assert (call.status, call.result_status, call.result) == ("completed", "failed", None)
    assert "does not match" in str(call.result_error)
    (tool,) = [turn for turn in await office.store.calls.turns(call.id) if turn.speaker == "tool"]
    assert "no JSON object" in tool.text
    assert tool.tool is not None
    assert used[:3000] in tool.tool["arguments"]
    async with benching(office.store, tmp_path) as bench:
        for path in ("/v1/calls", f"/v1/calls/{call.id}", f"/v1/calls/{call.id}/transcript"):
            assert (await bench.client.get(path)).status_code == 200


# -- what a network says ---------------------------------------------------------------------------


def test_no_cause_of_a_network_is_larger_than_a_column() -> None:
    assert [whole_number(text) for text in ("16", "486", "0", "²", "9" * 20)] == [
        *(16, 486),
        *(None, None, None),
    ]
