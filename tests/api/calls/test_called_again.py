"""Who is told that they will be called again is: the words at a call's end, and what follows.

Store, runner and conversation are the real ones; the PBX and the engines are played.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from api.policy.retry import RetryPolicy
from api.resources.attempt import Ended
from api.resources.call import Call
from api.resources.claim import Claim
from api.resources.trunk import NewTrunk
from pbx.switch import Answered, Cause
from tests.api.calls.test_voicemail import TWICE, Configured
from tests.api.conftest import Bench
from tests.api.story import NODE, claimed
from tests.api.switchboard import assert_nothing_is_left, impatient, story
from tests.voice_loop.scripted import settle
from voice_loop.phrases import phrases

LINES = phrases("en")


@pytest.fixture(autouse=True)
async def nothing_is_left(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> AsyncIterator[None]:
    impatient(monkeypatch)
    before = asyncio.all_tasks()
    yield
    await assert_nothing_is_left(before)


@pytest.fixture
def office(bench: Bench) -> Configured:
    return Configured(bench.store, settings=bench.services.settings)


async def listened_to(office: Configured, claim: Claim, *, packets: int = 7) -> Call:
    """An attempt in which the person says nothing, to its end."""
    task = asyncio.create_task(office.runner(claim).run())
    attempt = await office.switch.dialed(len(office.switch.attempts) + 1)
    attempt.media = replace(attempt.media, received=packets)
    attempt.ring()
    attempt.tell(Answered(time.time() - 30))
    await settle()
    async with asyncio.timeout(20):
        while not task.done():
            await attempt.tick()
            await asyncio.sleep(0.0005)
    return await office.store.calls.get(claim.call.id)


async def last_words(office: Configured, call: Call) -> str:
    turns = await office.store.calls.turns(call.id)
    return turns[-1].text


async def second(office: Configured) -> Claim:
    (claim,) = (await office.store.claims.take(1, NODE)).claims
    return claim


async def test_a_silent_person_is_called_again_if_told_so(office: Configured) -> None:
    agent = {"silence_timeout_seconds": 1}
    first = await claimed(office.store, agent=agent, retry=TWICE, zones=("UTC",))
    call = await listened_to(office, first)
    assert (call.status, call.waiting_for) == ("queued", "free_slot")
    assert await last_words(office, call) == LINES.nobody_there_yet
    call = await listened_to(office, await second(office))
    assert (call.status, call.end_reason, call.attempt_count) == ("completed", "silence", 2)
    assert await last_words(office, call) == LINES.nobody_there
    told = await story(office.store, call.id)
    assert (told.count("completed"), told.count("attempt_ended")) == (1, 1)


async def test_who_was_not_heard_for_want_of_audio_is_called_again_if_told_so(
    office: Configured,
) -> None:
    agent = {"silence_timeout_seconds": 1}
    first = await claimed(office.store, agent=agent, retry=TWICE, zones=("UTC",))
    call = await listened_to(office, first, packets=0)
    assert (call.status, call.waiting_for) == ("queued", "free_slot")
    assert await last_words(office, call) == LINES.nobody_there_yet
    call = await listened_to(office, await second(office), packets=0)
    assert (call.status, call.end_reason, call.attempt_count) == ("failed", "no_media", 2)
    assert await last_words(office, call) == LINES.nobody_there


async def test_a_person_whom_an_engine_failed_is_called_again_if_told_so(
    office: Configured,
) -> None:
    office.mind.fault.error = "broken"
    first = await claimed(office.store, retry=TWICE, zones=("UTC",))
    call = await listened_to(office, first)
    assert (call.status, call.waiting_for) == ("queued", "free_slot")
    assert await last_words(office, call) == LINES.apology_for_now
    call = await listened_to(office, await second(office))
    assert (call.status, call.end_reason, call.attempt_count) == ("failed", "engine_error", 2)
    assert await last_words(office, call) == LINES.apology


async def test_an_attempt_that_its_trunk_failed_is_none_of_those_that_are_counted(
    office: Configured,
) -> None:
    for name in ("first", "second"):
        await office.store.trunks.create(NewTrunk(name))
    agent = {"silence_timeout_seconds": 1}
    claim = await claimed(office.store, agent=agent, retry=TWICE, zones=("UTC",), trunk="first")
    silent = Cause("failed", "recovery_on_timer_expire", "It gave no answer.", 102)
    ended = Ended(time.time(), silent, "trunk_unreachable")
    await office.store.calls.record_ended(claim.call.id, ended)
    call = await listened_to(office, await second(office))
    assert (call.status, call.waiting_for) == ("queued", "free_slot")
    assert await last_words(office, call) == LINES.nobody_there_yet
    call = await listened_to(office, await second(office))
    assert (call.status, call.end_reason, call.attempt_count) == ("completed", "silence", 3)
    assert await last_words(office, call) == LINES.nobody_there


@pytest.mark.parametrize("retry", [None, RetryPolicy(max_attempts=1)])
async def test_an_order_of_one_attempt_promises_nothing(
    office: Configured, retry: RetryPolicy | None
) -> None:
    agent = {"silence_timeout_seconds": 1}
    claim = await claimed(office.store, agent=agent, retry=retry, force_now=True, zones=("UTC",))
    call = await listened_to(office, claim)
    assert (call.status, call.end_reason) == ("completed", "silence")
    assert await last_words(office, call) == LINES.nobody_there


def test_only_lines_for_who_is_called_again_promise_it() -> None:
    for lines in map(phrases, ("en", "es")):
        for line in (lines.nobody_there, lines.apology, lines.time_up, lines.at_a_loss):
            assert not any(word in line for word in ("again", "llamar"))
