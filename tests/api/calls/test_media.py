"""What the record tells of audio: calls without any, and holds."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from api.resources.attempt import AttemptObject
from api.resources.call import Call, billable_seconds
from api.store import Store
from pbx.switch import (
    Answered,
    AudioLost,
    AudioProblem,
    AudioRestored,
    Digit,
    Held,
    Resumed,
    TrunkStats,
)
from tests.api.calls.test_runner import Running, running
from tests.api.story import BUSY, NORMAL
from tests.api.switchboard import Office, PlayedAttempt, story, until
from tests.voice_loop.scripted import frame

pytestmark = pytest.mark.usefixtures("nothing_is_left")

MUSIC = frame(1000)


async def answered_for(call: Running, seconds: float, **media: Any) -> Call:
    """A call that was answered so long ago, and then hangs up."""
    attempt = await call.dialed()
    attempt.media = replace(attempt.media, **media)
    attempt.ring()
    attempt.tell(Answered(time.time() - seconds))
    await until(call.office.store, call.id, "answered")
    attempt.end()
    return await call.over()


async def test_an_answer_without_audio_is_no_conversation(office: Office) -> None:
    call = await answered_for(await running(office, returns={"ok": "boolean"}), 30, received=0)
    assert (call.status, call.end_reason) == ("failed", "no_media")
    assert call.error_message is not None
    assert "no audio" in call.error_message
    assert call.result is None
    assert billable_seconds(call) is None


@pytest.mark.parametrize(
    ("seconds", "media"),
    [
        (30, {"received": 1}),
        (1, {"received": 0}),
        (30, {"received": 0, "holds": 1}),
        (30, {"received": 0, "comfort_noise": True}),
    ],
    ids=["a packet came", "hung up at once", "on hold", "comfort noise"],
)
async def test_who_was_heard_or_hung_up_at_once_was_there(
    office: Office, seconds: float, media: dict[str, int]
) -> None:
    call = await answered_for(await running(office), seconds, **media)
    assert (call.status, call.end_reason) == ("completed", "person_hangup")


async def test_who_presses_a_key_is_there(office: Office) -> None:
    call = await running(office)
    attempt = await call.dialed()
    attempt.media = replace(attempt.media, received=0)
    attempt.tell(Answered(time.time() - 30))
    attempt.tell(Digit(time.time(), "1", 90))
    await until(office.store, call.id, "digit")
    attempt.end()
    assert (await call.over()).end_reason == "person_hangup"


async def test_an_operator_who_hangs_up_is_told_as_such(office: Office) -> None:
    call = await running(office)
    attempt = await call.dialed()
    attempt.media = replace(attempt.media, received=0)
    attempt.tell(Answered(time.time() - 30))
    await until(office.store, call.id, "answered")
    await call.runner.end("operator_hangup")
    assert (await call.over()).end_reason == "operator_hangup"


async def test_holds_are_told_and_music_is_not_talked_to(office: Office, store: Store) -> None:
    call = await running(office)
    attempt = await call.answered()
    await attempt.until_spoken()
    attempt.tell(Held(time.time()))
    await until(store, call.id, "held")
    for _ in range(200):
        assert not await attempt.tick(MUSIC)
    attempt.tell(Resumed(time.time()))
    await until(store, call.id, "resumed")
    await office.hears(attempt, "tomorrow please.")
    attempt.media = replace(attempt.media, holds=1, held_s=4.0)
    attempt.end()
    over = await call.over()
    told = await story(store, call.id)
    assert [one for one in told if one in ("turn", "held", "resumed")] == [
        *("turn", "held", "resumed", "turn", "turn")
    ]
    assert over.media is not None
    assert (over.media["holds"], over.media["held_s"]) == (1, 4.0)


async def lost(office: Office, since_s: float, dead: bool = False) -> tuple[Running, PlayedAttempt]:
    """A call whose audio ceased so many seconds ago, as is told now."""
    office.calls = office.calls.model_copy(update={"max_without_audio_s": 11.0})
    call = await running(office)
    attempt = await call.answered()
    await attempt.until_spoken()
    now = time.time()
    attempt.tell(AudioLost(now, now - since_s, dead))
    await until(office.store, call.id, "audio_lost")
    return call, attempt


async def test_audio_that_is_lost_for_too_long_ends_the_call(office: Office, store: Store) -> None:
    call, attempt = await lost(office, since_s=10.9)
    over = await call.over()
    assert (over.status, over.end_reason) == ("completed", "media_lost")
    assert "No audio came" in (over.error_message or "")
    assert attempt.hang_ups
    assert billable_seconds(over) is not None
    assert "audio_lost" in await story(store, call.id)


@pytest.mark.parametrize(
    ("dead", "reason"), [(True, "media_lost"), (False, "silence")], ids=["dead", "it reports"]
)
async def test_an_agent_that_gives_up_a_dead_line_was_not_met_with_silence(
    office: Office, dead: bool, reason: str
) -> None:
    call, attempt = await lost(office, since_s=1, dead=dead)
    for _ in range(4000):
        await attempt.tick()
        if attempt.hang_ups:
            break
    assert (await call.over()).end_reason == reason


async def test_audio_that_comes_again_does_not(office: Office, store: Store) -> None:
    call, attempt = await lost(office, since_s=10.5)
    attempt.tell(AudioRestored(time.time()))
    await until(store, call.id, "audio_restored")
    await asyncio.sleep(0.6)
    attempt.end()
    assert (await call.over()).end_reason == "person_hangup"


async def test_a_hold_is_waited_for_longer(office: Office, store: Store) -> None:
    call, attempt = await lost(office, since_s=10.5)
    attempt.tell(Held(time.time()))
    await until(store, call.id, "held")
    await asyncio.sleep(0.6)
    attempt.end()
    assert (await call.over()).end_reason == "person_hangup"


async def test_a_pbx_that_ends_a_call_is_not_taken_for_the_person(office: Office) -> None:
    call = await running(office)
    attempt = await call.answered()
    await attempt.until_spoken()
    attempt.end(replace(NORMAL, by_pbx=True))
    over = await call.over()
    assert (over.status, over.end_reason) == ("completed", "pbx_hangup")


async def test_a_bad_line_is_told_while_it_lasts_and_in_the_end(
    office: Office, store: Store
) -> None:
    call = await running(office)
    attempt = await call.answered()
    await attempt.until_spoken()
    told = AudioProblem(time.time(), "no_audio_out", "nat", "the far end hears nothing: mend it")
    attempt.tell(told)
    attempt.problems.append(told)
    await until(store, call.id, "audio_problem")
    attempt.media = replace(
        attempt.media,
        received=950,
        lost=50,
        leg_lost=50,
        bursts=50,
        frames=1000,
        mean_jitter_ms=21.0,
        trunk=TrunkStats("alaw", 950, 50, 1000, 21.0),
    )
    attempt.end()
    over = await call.over()
    assert over.shown.quality is not None
    quality = over.shown.quality
    assert [(one.problem, one.cause) for one in quality.problems] == [
        ("no_audio_out", "nat"),
        ("loss", "network"),
        ("jitter", "network"),
    ]
    assert (quality.inbound.loss_percent, quality.codec) == (5.0, "alaw")
    (tried,) = await store.calls.attempts(call.id)
    shown = AttemptObject.of(tried)
    assert shown.quality == quality
    assert shown.media is not None
    assert shown.media["received"] == 950
    assert "quality" not in shown.media
    events = {one.type: one.data for one in await store.calls.events(call.id)}
    assert events["call.audio_problem"]["problem"] == {
        "problem": "no_audio_out",
        "way": "outbound",
        "cause": "nat",
        "message": told.message,
    }
    assert events["call.quality"] == {"attempt": 1, "quality": quality.model_dump()}


async def test_a_call_that_nobody_answered_has_no_quality(office: Office, store: Store) -> None:
    call = await running(office)
    attempt = await call.dialed()
    attempt.end(BUSY)
    over = await call.over()
    assert over.quality is None
    assert "quality" not in await story(store, call.id)
