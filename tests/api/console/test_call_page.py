"""One call's page: what is on it, for whom, live, and nothing that a caller said is HTML."""

import asyncio
import time
from html import escape

import pytest

from api.resources.attempt import Ended
from pbx.quality import assess
from pbx.switch import AudioProblem
from tests.api.conftest import Bench
from tests.api.console.people import Person
from tests.api.console.story import HOSTILE, answered, tell
from tests.api.story import NORMAL
from tests.pbx.test_quality import GOOD


async def test_it_tells_everything_that_is_known_of_a_call(bench: Bench, operator: Person) -> None:
    told = await tell(bench, "Maria")
    html = await operator.open(f"/calls/{told.over}")
    for part in (
        *("hello Maria", "good morning Maria", "see you on monday", "interrupted", "93 % sure"),
        *("tool Maria", "recognition 84 ms", "after 420 ms", "agent hangup", "normal clearing"),
        *("call.answered", "/recording", "http://127.0.0.1:9/hook", "human: Maria", "jitter_ms"),
    ):
        assert part in html, part
    assert "Hang up" not in html


async def test_the_recording_is_played_in_ranges(bench: Bench, operator: Person) -> None:
    told = await tell(bench)
    path = f"/console/calls/{told.over}/recording"
    whole = await operator.client.get(path)
    assert (whole.status_code, whole.content[:4]) == (200, b"RIFF")
    part = await operator.client.get(path, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"RIFF")
    await operator.open(f"/calls/{told.live}/recording", 404)


async def test_its_waveform_may_have_its_style_and_no_other(bench: Bench, operator: Person) -> None:
    told = await tell(bench)
    answer = await operator.client.get(f"/console/calls/{told.over}")
    policy = answer.headers["content-security-policy"]
    assert "style-src 'self' 'nonce-" in policy
    assert "unsafe" not in policy
    again = await operator.client.get(f"/console/calls/{told.over}")
    assert again.headers["content-security-policy"] != policy


async def test_a_live_call_is_followed_until_it_is_over(bench: Bench, operator: Person) -> None:
    call_id = await answered(bench, HOSTILE + "\rdata: x\revent: over\r")
    seen = []

    async def follow() -> None:
        async with operator.client.stream("GET", f"/console/calls/{call_id}/live") as answer:
            async for line in answer.aiter_lines():
                seen.append(line)  # noqa: PERF401 - looked at meanwhile

    following = asyncio.create_task(follow())
    async with asyncio.timeout(10):
        while "data: " not in "".join(seen):
            await asyncio.sleep(0.01)
    ended = Ended(1.0, NORMAL, "agent_hangup")
    await bench.store.calls.record_ended(call_id, ended)
    await asyncio.wait_for(following, 10)
    assert [line for line in seen if line.startswith("event: ")][-1] == "event: over"
    assert seen.count("event: over") == 1
    assert "<script>" not in "".join(seen)


async def test_an_operator_hangs_up_and_a_reader_cannot(
    bench: Bench, operator: Person, reader: Person
) -> None:
    told = await tell(bench)
    page = f"/calls/{told.live}"
    assert "Hang up" not in await reader.open(page)
    refused = await reader.send(f"{page}/hang-up", page, 403)
    assert "needs a key with the scope call" in refused.text
    assert bench.asked == []
    assert "Hang up" in await operator.open(page)
    await operator.send(f"{page}/hang-up", page)
    assert bench.asked == [f"{told.live}:hangup"]
    await operator.send(f"/calls/{told.over}/hang-up", page, 409)


async def test_how_good_the_line_was_is_told(bench: Bench, reader: Person) -> None:
    call_id = await answered(bench, "Maria")
    assert "Line quality" not in await reader.open(f"/calls/{call_id}")
    at = time.time() + 20
    quality = assess(GOOD, [AudioProblem(at, "no_audio_in", "nat", HOSTILE)])
    ended = Ended(at, NORMAL, "agent_hangup", media={"received": 1500}, quality=quality)
    await bench.store.calls.record_ended(call_id, ended)
    html = await reader.open(f"/calls/{call_id}")
    for part in ("Line quality", "loss percent", "mos", "no audio in, inbound"):
        assert part in html, part
    assert "<script>alert" not in html


@pytest.mark.parametrize("path", ["/calls/nobody", "/calls/%00", "/calls/nobody/live", "/nowhere"])
async def test_what_is_not_there_is_said_so(operator: Person, path: str) -> None:
    await operator.open(path, 404)


async def test_nothing_that_anybody_said_is_html(bench: Bench, operator: Person) -> None:
    told = await tell(bench)
    for path in ("/calls", f"/calls/{told.over}", f"/calls/{told.live}", f"/calls/{told.busy}"):
        html = await operator.open(path)
        for part in ("<script>alert", "<img src=x", "javascript:alert(3)'>x</a>", "zzzzzzzzz"):
            assert part not in html, (path, part)
    assert escape("<script>alert(1)</script>") in html
