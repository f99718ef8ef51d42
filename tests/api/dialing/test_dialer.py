"""Claims and runs calls, ends them at a stop, settles what an earlier run left behind."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from api.dialing.dialer import Dialer
from api.policy.retry import DAY_MINUTES, WEEKDAYS, CallingWindow, RetryPolicy
from api.resources.attempt import Ended, RecordingFile
from api.resources.call import Call
from api.resources.claim import Unfinished
from api.resources.recording import Objection, Pause, RecordingFacts
from api.resources.trunk import NewTrunk
from api.resources.turn import Turn
from api.store import Store, StoreError
from api.store.database import Transaction
from pbx.switch import Cause, SwitchRefused, SwitchUnavailable
from tests.api.conftest import Clock
from tests.api.story import (
    BUSY,
    NODE,
    NORMAL,
    OURS,
    answered,
    claim_up_to,
    claimed,
    completed,
    new_call,
)
from tests.api.switchboard import (
    Fault,
    Office,
    assert_nothing_is_left,
    impatient,
    over,
    story,
    until,
)
from tests.voice_loop.scripted import settle
from voice_loop.ports import EngineError, SpeechDetector

pytestmark = pytest.mark.both_stores

AT_ONCE = RetryPolicy(frozenset(WEEKDAYS), (CallingWindow(0, DAY_MINUTES),), True, 2)


@pytest.fixture(autouse=True)
async def nothing_is_left(monkeypatch: pytest.MonkeyPatch, store: Store) -> AsyncIterator[None]:
    """Nobody waits long here, and every call gives back its tasks and its file."""
    impatient(monkeypatch)
    monkeypatch.setattr("api.dialing.dialer._LINK_CHECK_S", 0.0)
    before = asyncio.all_tasks()
    yield
    await assert_nothing_is_left(before)


@pytest.fixture
def office(store: Store, tmp_path: Path) -> Office:
    return Office(store, tmp_path / "recordings")


@contextlib.asynccontextmanager
async def dialing(office: Office, max_concurrent: int = 1) -> AsyncIterator[Dialer]:
    """A dialer at work; stopped at the end."""
    dialer = office.dialer(max_concurrent)
    task = asyncio.create_task(dialer.run())
    try:
        yield dialer
    finally:
        await stopped(task)


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)


# -- claiming --------------------------------------------------------------------------------------


async def test_calls_wait_their_turn(office: Office, store: Store) -> None:
    calls = [await new_call(store) for _ in range(3)]
    async with dialing(office, max_concurrent=2) as dialer:
        second = await office.switch.dialed(2)
        assert dialer.active == 2
        assert await story(store, calls[2].id) == ["queued"]
        assert len(office.switch.attempts) == 2
        second.end()
        await until(store, calls[2].id, "initiated")
        third = await office.switch.dialed(3)
        assert dialer.active == 2
        assert third.dial.number == calls[2].to_number
        for attempt in office.switch.attempts:
            attempt.end()
        for call in calls:
            await until(store, call.id, "failed")


async def test_nothing_is_claimed_without_a_link(office: Office, store: Store) -> None:
    office.switch.connected = False
    call = await new_call(store)
    async with dialing(office):
        await settle()
        assert (await store.calls.get(call.id)).status == "queued"
        office.switch.connected = True
        await office.switch.dialed()


NO_ANSWER = Cause(
    "failed", "recovery_on_timer_expire", "The trunk gave no answer.", 102, None, None,
    "trunk_unreachable",
)  # fmt: skip


async def trunks(store: Store) -> None:
    """A trunk that goes first, and one that stands in."""
    await store.numbers.seed("standby", [OURS])
    await store.trunks.create(NewTrunk("first", priority=1))


async def test_an_order_whose_trunk_fails_goes_on_over_another(
    office: Office, store: Store
) -> None:
    await trunks(store)
    call = await new_call(store, trunk="first")
    async with dialing(office):
        (await office.switch.dialed()).end(NO_ANSWER)
        second = await office.switch.dialed(2)
        second.ring()
        second.end(BUSY)
        await until(store, call.id, "busy")
    first, second = office.switch.attempts
    assert [first.dial.trunk, second.dial.trunk] == ["first", "standby"]
    assert first.dial.number == second.dial.number
    assert first.id != second.id
    assert (await over(store, call.id)).end_reason == "busy"


async def test_a_crash_between_two_trunks_loses_no_call(office: Office, store: Store) -> None:
    await trunks(store)
    claim = await claimed(store, trunk="first")
    ended = Ended(time.time(), NO_ANSWER, "trunk_unreachable")
    await store.calls.record_ended(claim.call.id, ended)
    await office.dialer().reconcile()
    async with dialing(office):
        second = await office.switch.dialed()
        assert second.dial.trunk == "standby"
        second.end(BUSY)
        await until(store, claim.call.id, "busy")
    assert len(office.switch.attempts) == 1


@pytest.mark.parametrize("objected", [False, True])
async def test_a_crash_ends_a_recording_and_keeps_none_that_was_objected_to(
    office: Office, store: Store, tmp_path: Path, *, objected: bool
) -> None:
    objection = Objection(2.0, "words", "don't record") if objected else None
    facts = RecordingFacts(objection=objection, pauses=(Pause(1.0, "api"),))
    claim = await claimed(store)
    call_id = claim.call.id
    file = RecordingFile("here", f"{call_id}.wav", facts)
    await store.calls.record_answered(call_id, time.time(), file)
    recorded = tmp_path / "recordings" / file.name
    await asyncio.to_thread(_make, recorded)
    await office.dialer().reconcile()
    done = await over(store, call_id)
    told = done.recording_facts
    assert told is not None
    assert told.status == ("objected" if objected else "ended")
    assert told.pauses[0].ended_at == (None if objected else done.ended_at)
    assert done.recording_available is not objected
    assert await asyncio.to_thread(recorded.exists) is not objected


def _make(file: Path) -> None:
    file.parent.mkdir()
    file.touch()


async def test_a_crash_in_the_midst_of_the_second_trunk_dials_no_third_time(
    office: Office, store: Store
) -> None:
    await trunks(store)
    claim = await claimed(store, trunk="first")
    ended = Ended(time.time(), NO_ANSWER, "trunk_unreachable")
    await store.calls.record_ended(claim.call.id, ended)
    (second,) = await claim_up_to(store, 1)
    assert second.attempt.trunk == "standby"
    await office.dialer().reconcile()
    done = await over(store, claim.call.id)
    assert (done.status, done.end_reason, done.attempt_count) == ("failed", "server_restart", 2)


@pytest.mark.parametrize("times", [1, 3])
async def test_a_claim_that_fails_is_tried_again(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    await new_call(store)
    Fault(monkeypatch, store, "take", times)
    async with dialing(office):
        await office.switch.dialed()


@pytest.mark.parametrize("canceled", [False, True])
async def test_a_claim_whose_answer_is_lost_is_heard_of_at_the_next(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch, *, canceled: bool
) -> None:
    call, later = await new_call(store), await new_call(store)
    write, database = store.database.write, store.database

    async def loses(work: Callable[[Transaction], Coroutine[Any, Any, Any]]) -> Any:
        answer = await write(work)
        if work.__qualname__.startswith("Claims.take"):
            monkeypatch.setattr(database, "write", write)
            if canceled:
                assert await store.calls.request_cancel(call.id) == "requested"
            raise StoreError("the connection is lost")
        return answer

    monkeypatch.setattr(database, "write", loses)
    async with dialing(office):
        attempt = await office.switch.dialed()
        dialled = later if canceled else call
        assert attempt == await office.attempt_of(dialled)
        attempt.end()
        await until(store, call.id, "canceled" if canceled else "failed")
    assert len(await store.calls.attempts(call.id)) == 1


async def test_a_claim_that_is_broken_costs_no_call_under_way(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dialing(office, max_concurrent=2):
        await new_call(store)
        attempt = await office.switch.dialed()
        with monkeypatch.context() as patch:
            Fault(patch, store, "take", 2, KeyError("a bug"))
            await new_call(store)
            await office.switch.dialed(2)
        assert attempt.hang_ups == 0


async def logged(caplog: pytest.LogCaptureFixture, line: str) -> None:
    """Return once a line that begins so is told; it is told once."""
    async with asyncio.timeout(5):
        while not [one for one in caplog.messages if one.startswith(line)]:
            await asyncio.sleep(0.01)
    assert len([one for one in caplog.messages if one.startswith(line)]) == 1


async def test_a_fault_of_one_call_ends_it_and_frees_its_slot(
    office: Office, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "api")

    def broken(rate: int) -> SpeechDetector:
        raise KeyError("a bug")

    sound, office.new_detector = office.new_detector, broken
    first = await new_call(store)
    async with dialing(office) as dialer:
        attempt = await office.switch.dialed()
        await until(store, first.id, "failed")
        done = await over(store, first.id)
        assert (done.status, done.hangup_cause, done.end_reason) == (
            "failed",
            "internal_error",
            "internal_error",
        )
        line = f"call {first.id}: ended attempt=1 status=failed end_reason=internal_error "
        await logged(caplog, line)
        assert attempt.hang_ups >= 1
        office.new_detector = sound
        await new_call(store)
        await office.switch.dialed(2)
        assert dialer.active == 1


async def test_a_fault_is_told_although_the_store_fails(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.switch.fault = KeyError("a bug")
    Fault(monkeypatch, store, "record_ended", 3)
    call = await new_call(store)
    async with dialing(office):
        await until(store, call.id, "failed")
    assert (await over(store, call.id)).end_reason == "internal_error"


async def test_an_end_that_the_store_never_takes_frees_the_slot(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await new_call(store)
    async with dialing(office):
        attempt = await office.switch.dialed()
        with monkeypatch.context() as patch:
            fault = Fault(patch, store, "record_ended", None)
            attempt.end()
            await new_call(store)
            await office.switch.dialed(2)
            async with asyncio.timeout(5):
                while fault.tries < 12:
                    await asyncio.sleep(0)
    (left,) = await store.calls.orphans()
    assert left.call.id == first.id


async def test_a_model_with_a_bug_costs_the_result_only(office: Office, store: Store) -> None:
    office.mind.result_fault = KeyError("a bug")
    call = await new_call(store, returns={"ok": "boolean"})
    async with dialing(office):
        attempt = await office.switch.dialed()
        attempt.answer()
        await until(store, call.id, "answered")
        attempt.end()
        await until(store, call.id, "completed")
    done = await over(store, call.id)
    assert (done.status, done.result_status) == ("completed", "failed")
    assert done.result_error == "internal error; the log tells more"


async def test_a_call_that_is_analysed_has_no_line(office: Office, store: Store) -> None:
    office.mind.result_gate = asyncio.Event()
    calls = [await new_call(store, returns={"ok": "boolean"}) for _ in range(4)]
    async with dialing(office) as dialer:
        for number, call in enumerate(calls, 1):
            attempt = await office.switch.dialed(number)  # while the ones before are analysed
            assert dialer.active == 1
            attempt.answer()
            await until(store, call.id, "answered")
            attempt.end()
            await until(store, call.id, "ended")
        async with asyncio.timeout(5):
            while dialer.active or office.mind.extractions < 2:
                await asyncio.sleep(0.01)
        await settle()
        assert office.mind.extractions == 2
        office.mind.result_gate.set()
        for call in calls:
            await until(store, call.id, "completed")
    assert office.mind.extractions == 4
    for call in calls:
        assert (await over(store, call.id)).result == {"ok": True}


# -- canceling and hanging up ----------------------------------------------------------------------


async def test_the_dialer_ends_the_call_that_is_meant(office: Office, store: Store) -> None:
    one, other = await new_call(store), await new_call(store)
    async with dialing(office, max_concurrent=2):
        await office.switch.dialed(2)
        ringing, talking = [await office.attempt_of(call) for call in (one, other)]
        ringing.ring()
        talking.answer()
        await until(store, other.id, "answered")
        await store.calls.request_cancel(one.id)
        await until(store, one.id, "canceled")
        assert talking.hang_ups == 0
        await store.calls.request_hang_up(other.id)
        await until(store, other.id, "completed")
    assert (await over(store, one.id)).end_reason == "canceled"
    assert (await over(store, other.id)).end_reason == "operator_hangup"


async def test_who_is_to_be_hung_up_is_though_the_store_is_gone_right_after(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ringing, talking = await new_call(store), await new_call(store)
    async with dialing(office, max_concurrent=2):
        await office.switch.dialed(2)
        attempts = [await office.attempt_of(call) for call in (ringing, talking)]
        attempts[1].answer()
        await until(store, talking.id, "answered")
        with monkeypatch.context() as patch:
            Fault(patch, store, "get", None)
            await store.calls.request_cancel(ringing.id)
            await store.calls.request_hang_up(talking.id)
            async with asyncio.timeout(5):
                while not all(attempt.hang_ups for attempt in attempts):
                    await asyncio.sleep(0.01)
        await until(store, ringing.id, "canceled")
        await until(store, talking.id, "completed")


async def test_a_fault_in_doing_what_is_asked_closes_no_call_that_is_on_the_line(
    office: Office, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    call = await new_call(store, retry=AT_ONCE, zones=("Etc/UTC",))
    async with dialing(office) as dialer:
        attempt = await office.switch.dialed()
        attempt.ring()
        await until(store, call.id, "ringing")
        attempt.hang_up_fault = KeyError("a bug")
        await store.calls.request_cancel(call.id)
        async with asyncio.timeout(5):
            while len(dialer._tasks) > 1:  # beside the call's own
                await asyncio.sleep(0.01)
        assert await story(store, call.id) == ["queued", "initiated", "ringing"]
        attempt.hang_up_fault = None
        await store.calls.request_cancel(call.id)
        await until(store, call.id, "canceled")
    assert "cannot be done" in caplog.text


async def test_canceled_while_being_claimed(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim is on disk, nobody runs it yet: the cancel finds no runner."""
    call = await new_call(store)
    claim, claimed_, go_on = store.claims.take, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> object:
        claims = await claim(*arguments)
        claimed_.set()
        await go_on.wait()
        return claims

    monkeypatch.setattr(store.claims, "take", slow)
    async with dialing(office):
        await asyncio.wait_for(claimed_.wait(), 5)
        assert await store.calls.request_cancel(call.id) == "requested"
        go_on.set()
        await until(store, call.id, "canceled")
    await over(store, call.id)
    assert office.switch.attempts == []


async def test_the_next_attempt_is_ended_although_the_last_one_still_ends(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the first is on disk, and told again because its answer was lost."""
    call = await new_call(store, retry=AT_ONCE, zones=("Etc/UTC",))
    real, tells = store.calls.record_ended, []

    async def lost(call_id: str, ended: Ended, attempt: int | None) -> Call:
        answer = await real(call_id, ended, attempt)
        tells.append(attempt)
        if len(tells) == 1:
            await office.switch.dialed(2)
            raise StoreError("the connection is lost")
        return answer

    monkeypatch.setattr(store.calls, "record_ended", lost)
    async with dialing(office, max_concurrent=2) as dialer:
        (await office.switch.dialed()).end(BUSY)
        second = await office.switch.dialed(2)
        async with asyncio.timeout(5):
            while len(tells) < 2:
                await settle()
        await settle()
        assert dialer.active == 1
        assert await store.calls.request_cancel(call.id) == "requested"
        await until(store, call.id, "canceled")
        assert second.hang_ups >= 1
    assert len(await store.calls.attempts(call.id)) == 2


# -- stopping --------------------------------------------------------------------------------------


async def test_a_stop_ends_every_call(office: Office, store: Store) -> None:
    calls = [await new_call(store) for _ in range(3)]
    async with dialing(office, max_concurrent=2):
        await office.switch.dialed(2)
        ringing, talking = [await office.attempt_of(call) for call in calls[:2]]
        ringing.ring()
        talking.answer()
        await until(store, calls[1].id, "answered")
        await talking.until_spoken()
    one, other = [await over(store, call.id) for call in calls[:2]]
    assert (one.status, one.end_reason) == ("canceled", "server_shutdown")
    assert (other.status, other.end_reason) == ("completed", "server_shutdown")
    assert (await store.calls.get(calls[2].id)).status == "queued"
    assert all(attempt.hang_ups for attempt in office.switch.attempts)


async def test_a_stop_does_not_wait_for_a_deaf_pbx(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.dialing.dialer._SHUTDOWN_S", 0.01)
    office.switch.obeys = False
    call = await new_call(store)
    async with dialing(office):
        attempt = await office.switch.dialed()
        attempt.answer()
        await until(store, call.id, "answered")
    assert attempt.hang_ups >= 1
    assert not (await store.calls.get(call.id)).over


async def test_a_hang_up_that_fails_at_a_stop_does_not_spare_the_others(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.dialing.dialer._SHUTDOWN_S", 0.01)
    for _ in range(2):
        await new_call(store)
    async with dialing(office, max_concurrent=2):
        await office.switch.dialed(2)
        office.switch.attempts[0].hang_up_fault = SwitchUnavailable("the link is down")
    assert all(attempt.hang_ups for attempt in office.switch.attempts)


async def test_a_call_claimed_during_a_stop_is_settled_by_the_next_start(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await new_call(store)
    claim, claimed_ = store.claims.take, asyncio.Event()

    async def slow(*arguments: Any) -> None:
        await claim(*arguments)
        claimed_.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(store.claims, "take", slow)
        async with dialing(office):
            await asyncio.wait_for(claimed_.wait(), 5)
    assert (await store.calls.get(call.id)).status == "initiated"
    await office.dialer().reconcile()
    assert (await over(store, call.id)).end_reason == "server_restart"


# -- after a restart -------------------------------------------------------------------------------


async def unreachable() -> list[str]:
    raise SwitchUnavailable("the link is down")


async def test_a_call_of_a_dead_process_ends_with_its_last_sign_of_life(
    ledger: Store, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the PBX cannot be asked at first."""
    office = Office(ledger, tmp_path / "recordings")
    call = (await claimed(ledger)).call
    await ledger.calls.record_answered(call.id, clock.now)
    (attempt,) = await ledger.calls.attempts(call.id)
    clock.now += 100
    await ledger.leases.take(f"node:{attempt.node_id}", attempt.node_id or "", 20.0)
    clock.now += 3600
    dialer = office.dialer()
    with monkeypatch.context() as patch:
        patch.setattr(office.switch, "living_channels", unreachable)
        with pytest.raises(SwitchUnavailable):
            await dialer.reconcile()
    await dialer.reconcile()
    done = await over(ledger, call.id)
    assert done.end_reason == "server_restart"
    assert done.billed_duration_seconds == 100


async def test_a_restart_settles_everything_once(office: Office, store: Store) -> None:
    dead, living = await claimed(store), await claimed(store)
    talking = await answered(store)
    finished = await completed(store)
    resultless = await answered(store, returns={"ok": "boolean"})
    at = time.time()
    await store.calls.add_turn(resultless.id, Turn("person", "yes", at, at))
    end = Ended(at, NORMAL, "person_hangup", awaits_result=True)
    await store.calls.record_ended(resultless.id, end)
    waiting = await new_call(store)
    before = await story(store, finished.id)
    foreign = "offhook-of-another-deployment-on-this-pbx"
    office.switch.living = [living.attempt.channel_id, foreign]

    dialer = office.dialer()
    await dialer.reconcile()
    await until(store, resultless.id, "completed")

    assert office.switch.hung_up == [living.attempt.channel_id]
    for call_id in (dead.call.id, living.call.id, talking.id):
        done = await over(store, call_id)
        assert (done.status, done.end_reason) == ("failed", "server_restart")
        assert done.error_message is not None
        assert ("still up" in done.error_message) == (call_id == living.call.id)
    assert (await over(store, resultless.id)).result == {"ok": True}
    assert await story(store, finished.id) == before
    assert (await store.calls.get(waiting.id)).status == "queued"
    assert await store.calls.orphans() == []
    await dialer.reconcile()
    assert office.mind.extractions == 1


async def test_a_result_that_fails_after_a_restart_is_told(office: Office, store: Store) -> None:
    office.engines_fault = EngineError("no such language any more")
    call = await answered(store, returns={"ok": "boolean"})
    await store.calls.record_ended(
        call.id, Ended(time.time(), NORMAL, "person_hangup", awaits_result=True)
    )
    await office.dialer().reconcile()
    await until(store, call.id, "completed")
    done = await over(store, call.id)
    assert (done.result_status, done.result_error) == ("failed", "no such language any more")


async def test_a_pbx_that_cannot_be_asked_is_told(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = (await claimed(store)).call
    monkeypatch.setattr(office.switch, "living_channels", unreachable)
    with pytest.raises(SwitchUnavailable):
        await office.dialer().reconcile()
    assert not (await store.calls.get(call.id)).over


async def test_a_call_that_cannot_be_settled_does_not_stop_the_others(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = await claimed(store), await claimed(store)
    real = store.calls.record_ended

    async def broken(call_id: str, ended: Ended, attempt: int | None) -> object:
        if call_id == bad.call.id:
            raise StoreError("the page is damaged")
        return await real(call_id, ended, attempt)

    monkeypatch.setattr(store.calls, "record_ended", broken)
    await office.dialer().reconcile()
    assert (await over(store, good.call.id)).end_reason == "server_restart"


async def test_a_channel_that_cannot_be_hung_up_does_not_spare_the_others(
    office: Office, store: Store
) -> None:
    claims = [await claimed(store) for _ in range(3)]
    office.switch.living = [claim.attempt.channel_id for claim in claims]
    stubborn = claims[1]
    fault = SwitchRefused("no permission")
    office.switch.stubborn[stubborn.attempt.channel_id] = fault
    await office.dialer().reconcile()
    assert len(office.switch.hung_up) == 2
    for claim in claims:
        done = await over(store, claim.call.id)
        assert done.error_message is not None
        assert ("still up: no permission" in done.error_message) == (claim is stubborn)


async def test_a_link_that_breaks_closes_no_call_unseen(office: Office, store: Store) -> None:
    """The server reconciles again once the link is back."""
    claims = [await claimed(store) for _ in range(2)]
    office.switch.living = [claim.attempt.channel_id for claim in claims]
    gone = office.switch.living[0]
    office.switch.stubborn[gone] = SwitchUnavailable("the link is down")
    with pytest.raises(SwitchUnavailable):
        await office.dialer().reconcile()
    assert len(await store.calls.orphans()) == 2
    office.switch.stubborn.clear()
    await office.dialer().reconcile()
    assert await store.calls.orphans() == []


async def test_a_call_that_another_process_ended_meanwhile_keeps_its_end(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for dead, or two settle at once what a third one left."""
    call = await answered(store, returns={"ok": "boolean"})
    (left,) = await store.calls.orphans()

    async def seen() -> list[Unfinished]:
        return [left]

    end = Ended(time.time(), NORMAL, "person_hangup", awaits_result=True)
    ended = await store.calls.record_ended(call.id, end)
    monkeypatch.setattr(store.calls, "orphans", seen)
    await office.dialer().reconcile()
    assert await store.calls.get(call.id) == ended


class Beats:
    """The dialer's clock, and the signs of life that it gives by it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
        self.now = 1000.0
        self._given = asyncio.Semaphore(0)
        self._take = store.leases.take
        monkeypatch.setattr("api.dialing.dialer.time", self)
        monkeypatch.setattr("api.dialing.dialer._HEARTBEAT_S", 0.0)
        monkeypatch.setattr(store.leases, "take", self._give)

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return time.time()

    async def _give(self, name: str, holder: str, ttl_s: float) -> bool:
        self._given.release()
        return await self._take(name, holder, ttl_s)

    async def pass_by(self) -> None:
        """Return after some more of them, and all that they led to but the last."""
        for _ in range(4 + self._given._value):
            await asyncio.wait_for(self._given.acquire(), 20)


async def test_after_an_outage_every_process_gets_time_for_a_sign_of_life(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database was away for longer than a lease: whoever is back first spares the others."""
    monkeypatch.setattr(Store, "shared", True)
    node = f"node:{NODE}"
    await store.leases.take(node, NODE, 3600)
    call = (await claimed(store)).call
    beats = Beats(monkeypatch, store)
    async with dialing(office):
        await beats.pass_by()
        beats.now += 19
        await beats.pass_by()
        beats.now += 3600  # nothing got through
        await beats.pass_by()
        await store.leases.release(node, NODE)  # as if it had lapsed
        await beats.pass_by()
        assert not (await store.calls.get(call.id)).over
        beats.now += 19
        await beats.pass_by()
        assert not (await store.calls.get(call.id)).over
        beats.now += 2
        await until(store, call.id, "failed")
