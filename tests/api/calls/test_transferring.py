"""Transfers as the runner carries them out: who hears what meanwhile, and what is written down.

The store, the conversation and the recorder are the real ones; PBX and engines are played.
"""

import asyncio
import wave
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from api.base.json_object import JsonObject
from api.base.refusals import Refused
from api.messaging.ways import WaysOut
from api.resources.call import Call, transfer_of
from api.resources.transfer import Transfer, TransferWish, leg_id
from api.resources.trunk import NewTrunk, Route
from api.settings import Settings
from api.store import Store
from api.store.database import Transaction
from api.tools.toolbox import Toolbox
from pbx.switch import LIMIT_MARGIN_S, Cause, SwitchRefused, SwitchUnavailable
from tests.api.calls.test_runner import PERSON, Running
from tests.api.conftest import SEAL
from tests.api.story import BUSY, OURS, claimed, new_call
from tests.api.switchboard import (
    Office,
    PlayedAttempt,
    over,
    story,
    until,
)
from tests.voice_loop.scripted import frame, settle
from voice_loop.prompts import tool_response_text

pytestmark = pytest.mark.usefixtures("nothing_is_left")

THIRD = "+15550100200"
GONE = Cause("completed", "normal_clearing", "The call ended normally.", 16, 200, "c@d")


class Handing(Running):
    """A call whose person is to be handed over."""

    person: PlayedAttempt

    @property
    def attempt(self) -> PlayedAttempt:
        return self.person

    async def transfer(self, wish: TransferWish) -> None:
        """As the API does it."""
        store = self.office.store
        begun = await store.transfers.begin(self.id, wish, Route(OURS, "carrier"))
        self.runner.take_up_transfer(begun)

    async def third(self, count: int = 2) -> PlayedAttempt:
        """Who is called."""
        return await self.office.switch.dialed(count)

    async def state(self) -> Transfer:
        found = transfer_of(await self.office.store.calls.get(self.id))
        assert found is not None
        return found

    async def hears_out(self, third: PlayedAttempt) -> None:
        """They listen to the briefing to its end, and are joined."""
        async with asyncio.timeout(10):
            while self.person.partner is None:
                await third.tick(PERSON)
                await self.person.tick()
                await asyncio.sleep(0.001)
        await self.transferred()

    async def transferred(self) -> None:
        await until(self.office.store, self.id, "transferred")


async def in_conversation(
    office: Office, *, allow_refer: bool = False, agent: JsonObject | None = None
) -> Handing:
    """The agent has said its opening."""
    await office.store.trunks.create(NewTrunk("carrier", allow_refer=allow_refer))
    await office.store.numbers.seed("carrier", [OURS])
    call = Handing(office, await claimed(office.store, trunk="carrier", agent=agent or {}))
    call.person = await call.answered()
    await call.person.until_spoken()
    return call


async def ours_is_heard(attempt: PlayedAttempt) -> None:
    """Listen until our voice, or a tone of ours, is on the line."""
    async with asyncio.timeout(10):
        while not await attempt.tick():
            await asyncio.sleep(0.001)


def told(types: list[str]) -> list[str]:
    return [one for one in types if "transfer" in one and "transcript" not in one]


# -- cold ------------------------------------------------------------------------------------------


@pytest.mark.rows("RV-57", "RV-504")
async def test_a_cold_one_calls_joins_and_lasts_until_the_two_hang_up(
    office: Office, store: Store
) -> None:
    call = await in_conversation(office)
    await call.transfer(TransferWish(THIRD))
    third = await call.third()
    assert (third.dial.number, third.dial.caller_number, third.dial.trunk) == (
        THIRD,
        OURS,
        "carrier",
    )
    assert third.dial.id == leg_id(call.person.id, 1)
    third.ring()
    await ours_is_heard(call.person)  # it rings
    third.answer()
    await call.transferred()
    now = await store.calls.get(call.id)
    assert (now.status, (await call.state()).status) == ("in_progress", "completed")
    assert call.person.hang_ups == third.hang_ups == 0
    third.end()
    done = await call.over()
    assert (done.status, done.end_reason, done.outcome) == ("completed", "transferred", None)
    assert told(await story(store, call.id)) == ["transfer_started", "transferred"]


@pytest.mark.rows("RV-57", "RV-58", "RV-504")
async def test_by_refer_the_carrier_has_the_person(office: Office, store: Store) -> None:
    call = await in_conversation(office, allow_refer=True)
    await call.transfer(TransferWish(THIRD))
    done = await call.over()
    assert call.person.referred == [THIRD]
    assert len(office.switch.attempts) == 1
    assert (done.status, done.end_reason) == ("completed", "transferred")
    assert (await call.state()).method == "refer"


@pytest.mark.rows("RV-57")
async def test_a_refused_refer_is_followed_by_a_call(office: Office) -> None:
    call = await in_conversation(office, allow_refer=True)
    call.person.refer_fault = SwitchRefused("603 Decline", "transfer")
    await call.transfer(TransferWish(THIRD))
    third = await call.third()
    third.answer()
    await call.transferred()
    assert ((await call.state()).method, call.person.referred) == ("bridge", [THIRD])
    call.person.end()
    assert (await call.over()).end_reason == "transferred"


@pytest.mark.rows("RV-57")
async def test_a_refused_refer_that_was_asked_for_fails_with_its_reason(
    office: Office, store: Store
) -> None:
    call = await in_conversation(office, allow_refer=True)
    call.person.refer_fault = SwitchRefused("603 Decline", "transfer")
    await call.transfer(TransferWish(THIRD, method="refer"))
    await until(store, call.id, "transfer_failed")
    assert (await call.state()).reason == "603 Decline"
    assert len(office.switch.attempts) == 1
    call.person.end()
    assert (await call.over()).end_reason == "person_hangup"


# -- what comes of nothing -------------------------------------------------------------------------


async def test_who_is_busy_leaves_the_person_with_the_agent_who_is_told(
    office: Office, store: Store
) -> None:
    call = await in_conversation(office)
    office.mind.answers["[the transfer failed: the line was busy]"] = "sorry, they are busy."
    await call.transfer(TransferWish(THIRD))
    (await call.third()).end(BUSY)
    await until(store, call.id, "transfer_failed")
    await call.person.until_spoken()
    await office.hears(call.person, "tomorrow please.")
    call.person.end()
    done = await call.over()
    assert (done.status, done.end_reason) == ("completed", "person_hangup")
    assert (await call.state()).reason == "the line was busy"
    said = [(turn.speaker, turn.text) for turn in await store.calls.turns(call.id)]
    assert said[1:] == [
        ("agent", "sorry, they are busy."),
        ("person", "tomorrow please."),
        ("agent", "i see."),
    ]


async def test_another_may_be_tried_after_one_that_failed(office: Office, store: Store) -> None:
    call = await in_conversation(office)
    await call.transfer(TransferWish(THIRD))
    (await call.third()).end(BUSY)
    await until(store, call.id, "transfer_failed")
    await call.transfer(TransferWish("+15550100201"))
    third = await call.third(3)
    assert third.dial.id == leg_id(call.person.id, 2)
    third.answer()
    await call.transferred()
    third.end()
    await call.over()


async def test_the_person_hangs_up_while_it_rings(office: Office, store: Store) -> None:
    call = await in_conversation(office)
    await call.transfer(TransferWish(THIRD))
    third = await call.third()
    third.ring()
    call.person.end()
    done = await call.over()
    assert (done.end_reason, third.hang_ups) == ("person_hangup", 1)
    assert (await call.state()).reason == "the call ended"
    assert told(await story(store, call.id)) == ["transfer_started", "transfer_failed"]


async def test_the_operator_hangs_up_while_it_rings(office: Office) -> None:
    call = await in_conversation(office)
    await call.transfer(TransferWish(THIRD))
    third = await call.third()
    await call.runner.end("operator_hangup")
    done = await call.over()
    assert (done.end_reason, third.hang_ups) == ("operator_hangup", 1)


async def test_the_longest_call_ends_though_it_rings(office: Office) -> None:
    call = await in_conversation(office)
    await call.transfer(TransferWish(THIRD))
    third = await call.third()
    third.ring()
    for _ in range(600_000 // 20 + 50):
        if call.task.done() or call.person.hang_ups:
            break
        await call.person.tick()
    done = await call.over()
    assert (done.end_reason, third.hang_ups) == ("max_duration", 1)


async def test_a_trunk_that_is_full_by_now_is_told(office: Office, store: Store) -> None:
    call = await in_conversation(office, allow_refer=True)
    call.person.refer_fault = SwitchRefused("603 Decline", "transfer")
    await store.trunks.change("carrier", {"max_channels": 1})
    await call.transfer(TransferWish(THIRD))
    await until(store, call.id, "transfer_failed")
    assert (await call.state()).reason == "every channel of the trunk is in use"
    call.person.end()
    await call.over()


async def test_the_pbx_is_told_how_long_the_two_may_talk(office: Office) -> None:
    """Should the server die, or forget."""
    call, third = await joined(office)
    limit_s = 3600 + LIMIT_MARGIN_S
    assert (call.person.limit_s, third.limit_s, third.dial.limit_s) == (limit_s,) * 3
    third.end()
    await call.over()


async def test_a_limit_that_the_pbx_does_not_take_undoes_no_transfer(office: Office) -> None:
    call = await in_conversation(office)
    call.person.limit_fault = SwitchUnavailable("the link is down")
    await call.transfer(TransferWish(THIRD))
    third = await call.third()
    third.answer()
    await call.transferred()
    third.end()
    assert (await call.over()).end_reason == "transferred"


# -- after the join --------------------------------------------------------------------------------


async def joined(office: Office) -> tuple[Handing, PlayedAttempt]:
    call = await in_conversation(office)
    await call.transfer(TransferWish(THIRD))
    third = await call.third()
    third.answer()
    await call.transferred()
    return call, third


async def test_the_two_are_hung_up_by_the_operator(office: Office) -> None:
    call, third = await joined(office)
    await call.runner.end("operator_hangup")
    done = await call.over()
    assert (done.end_reason, call.person.hang_ups > 0) == ("transferred", True)
    assert third.hang_ups == 0  # the PBX ends it with the other one


async def test_a_server_that_stops_leaves_them_talking(office: Office) -> None:
    call, third = await joined(office)
    await call.runner.end("server_shutdown")
    done = await call.over()
    assert (done.status, done.end_reason) == ("completed", "transferred")
    assert call.person.hang_ups == third.hang_ups == 0


async def test_a_server_that_died_left_them_talking(office: Office, store: Store) -> None:
    call = await new_call(store)
    (claim,) = (await store.claims.take(1, "node-that-died")).claims
    await store.calls.record_answered(call.id, claim.attempt.created_at)
    await store.trunks.create(NewTrunk("carrier"))
    await store.transfers.begin(call.id, TransferWish(THIRD), Route(OURS, "carrier"))
    await store.transfers.completed(call.id, claim.attempt.created_at)
    await office.dialer().reconcile()
    done: Call = await over(store, call.id)
    assert (done.status, done.end_reason) == ("completed", "transferred")


async def test_nobody_talks_for_ever(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    office.max_transferred_s = 0
    call, _ = await joined(office)
    done = await call.over()
    assert done.end_reason == "transferred"
    assert "no end in time" in caplog.text


async def test_the_recording_ends_at_the_join(office: Office) -> None:
    call, third = await joined(office)
    third.end()
    done = await call.over()
    assert (office.recordings, done.recording_path) != (None, None)
    with wave.open(str(office.recordings / done.recording_path)) as file:  # type: ignore[operator]
        assert file.getnframes() > 8000


async def test_a_call_that_is_not_to_be_recorded_is_not_while_it_is_transferred(
    office: Office, tmp_path: Path
) -> None:
    office.records = lambda _: False
    call, third = await joined(office)
    third.end()
    assert (await call.over()).recording_path is None
    assert not (tmp_path / "recordings").exists()


# -- warm ------------------------------------------------------------------------------------------


@pytest.mark.rows("RV-56", "RV-95", "RV-96")
@pytest.mark.parametrize("instructions", [None, "Say the order number."])
async def test_a_warm_one_is_briefed_while_the_person_waits(
    office: Office, store: Store, instructions: str | None
) -> None:
    call = await in_conversation(office)
    await office.hears(call.person, "tomorrow please.")
    await call.transfer(TransferWish(THIRD, "warm", summary_instructions=instructions))
    third = await call.third()
    await ours_is_heard(call.person)
    third.answer()
    await ours_is_heard(third)
    assert (await call.state()).status == "dialing"
    await call.hears_out(third)
    asked = next(one for one in office.mind.asked if "handed over" in one[0]["content"])
    wanted = "agreed so far" if instructions is None else instructions
    assert wanted in asked[0]["content"]
    assert "person: tomorrow please." in asked[1]["content"]
    said = " ".join(office.mouth.said)
    assert "somebody on the line for you. i see. i will put you through" in said
    third.end()
    assert (await call.over()).end_reason == "transferred"


@pytest.mark.rows("RV-56")
async def test_who_hangs_up_while_being_briefed_is_not_put_through(
    office: Office, store: Store
) -> None:
    call = await in_conversation(office)
    await call.transfer(TransferWish(THIRD, "warm"))
    third = await call.third()
    third.answer()
    await ours_is_heard(third)
    third.end(GONE)
    await until(store, call.id, "transfer_failed")
    assert (await call.state()).reason == "they hung up before they were put through"
    await ours_is_heard(call.person)
    call.person.end()
    await call.over()


@pytest.mark.rows("RV-56")
async def test_a_briefing_needs_no_summary_but_a_voice(office: Office, store: Store) -> None:
    call = await in_conversation(office)
    office.mind.fault.error = "no tokens"
    await call.transfer(TransferWish(THIRD, "warm"))
    third = await call.third()
    third.answer()
    await call.hears_out(third)
    third.end()
    await call.over()


@pytest.mark.rows("RV-56")
async def test_without_a_voice_the_person_stays_with_us(office: Office, store: Store) -> None:
    call = await in_conversation(office)
    office.mouth.fault.error, office.mouth.only_at = "no voice", "put you through"
    await call.transfer(TransferWish(THIRD, "warm"))
    third = await call.third()
    third.answer()
    await until(store, call.id, "transfer_failed")
    assert ((await call.state()).reason, third.hang_ups) == ("no voice", 1)
    call.person.end()
    await call.over()


# -- by the agent ----------------------------------------------------------------------------------

ASKED = "please let me speak to somebody."
USE = '<tool_call>{"name": "transfer_call", "arguments": {}}</tool_call>'


async def agent_with(office: Office, box: Toolbox, **tool: str) -> Handing:
    """An agent that may hand over; the person has asked for it."""
    office.tools = box.tools_for
    office.mind.answers[ASKED] = USE
    agent = {"tools": [{"type": "transfer", "number": THIRD, **tool}]}
    call = await in_conversation(office, agent=agent)
    loud = frame(office.ears.code(ASKED))
    for _ in range(30):
        await call.person.tick(loud)
    return call


async def dialed_by_agent(call: Handing) -> PlayedAttempt:
    async with asyncio.timeout(20):
        while len(call.office.switch.attempts) < 2:
            await call.person.tick()
            await asyncio.sleep(0.001)
    return await call.third()


@pytest.fixture
async def box(store: Store) -> AsyncIterator[Toolbox]:
    async with Toolbox(Settings(), store, SEAL, WaysOut()) as one:
        yield one


@pytest.mark.rows("RV-89", "RV-90", "X-OI-7", "RV-504")
async def test_the_agent_hands_the_person_over(office: Office, store: Store, box: Toolbox) -> None:
    call = await agent_with(office, box, say="one moment, i put you through.")
    third = await dialed_by_agent(call)
    assert third.dial.number == THIRD
    said = [(turn.speaker, turn.text) for turn in await store.calls.turns(call.id)]
    assert said[-1] == ("agent", "one moment, i put you through.")
    third.answer()
    await call.transferred()
    third.end()
    done = await call.over()
    assert (done.status, done.end_reason) == ("completed", "transferred")
    last = (await store.calls.turns(call.id))[-1]
    assert (last.speaker, last.text) == ("tool", "The person was put through.")
    assert last.tool is not None
    assert (last.tool["name"], last.tool["is_error"]) == ("transfer_call", False)


@pytest.mark.rows("RV-90")
async def test_the_agent_goes_on_where_nobody_answers(
    office: Office, store: Store, box: Toolbox
) -> None:
    failed = "The person was not put through: the line was busy. They are here."
    office.mind.answers[tool_response_text(failed)] = "sorry, nobody is free."
    call = await agent_with(office, box)
    (await dialed_by_agent(call)).end(BUSY)
    await until(store, call.id, "transfer_failed")
    await call.person.until_spoken()
    await office.hears(call.person, "tomorrow please.")
    call.person.end()
    assert (await call.over()).end_reason == "person_hangup"
    said = [(turn.speaker, turn.text) for turn in await store.calls.turns(call.id)]
    assert said[-4:] == [
        ("tool", failed),
        ("agent", "sorry, nobody is free."),
        ("person", "tomorrow please."),
        ("agent", "i see."),
    ]


@pytest.mark.rows("RV-58", "X-OI-7")
async def test_the_agent_transfers_by_refer_with_its_turn_kept(
    office: Office, store: Store, box: Toolbox
) -> None:
    call = await agent_with(office, box)
    await store.trunks.change("carrier", {"allow_refer": True})
    async with asyncio.timeout(20):
        while not call.person.referred:
            await call.person.tick()
            await asyncio.sleep(0.001)
    done = await call.over()
    assert (done.status, done.end_reason) == ("completed", "transferred")
    assert (await store.calls.turns(call.id))[-1].text == "The person was put through."


async def test_the_agent_starts_none_while_one_is_under_way(office: Office) -> None:
    call = await in_conversation(office)
    await call.transfer(TransferWish(THIRD))
    with pytest.raises(Refused, match="under way"):
        await call.runner._hand_over(TransferWish(THIRD))
    await call.third()
    call.person.end()
    await call.over()
    assert [one.dial.number for one in office.switch.attempts[1:]] == [THIRD]


async def test_one_that_the_ledger_notes_as_the_person_hangs_up_rings_nobody(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await in_conversation(office)
    write, asked, gone, seen = store.database._write, *(asyncio.Event() for _ in range(3))

    async def busy(work: Callable[[Transaction], Coroutine[Any, Any, Any]]) -> Any:
        """The ledger's writer: it gets to the transfer late, and then to the end of the call."""
        if work.__qualname__.startswith("Transfers.begin"):
            asked.set()
            await gone.wait()
        elif "record_ended" in work.__qualname__:
            await seen.wait()
        return await write(work)

    monkeypatch.setattr(store.database, "_write", busy)
    asking = asyncio.create_task(call.runner._hand_over(TransferWish(THIRD)))
    await asyncio.wait_for(asked.wait(), 5)
    call.person.end()
    await asyncio.wait([asking], timeout=5)
    gone.set()
    await until(store, call.id, "transfer_started")
    call.runner.take_up_transfer(await call.state())  # as the dialer does
    await settle()
    again = asyncio.create_task(call.runner._hand_over(TransferWish(THIRD)))
    await settle()
    seen.set()
    assert (await call.over()).end_reason == "person_hangup"
    assert len(office.switch.attempts) == 1
    assert (await call.state()).reason == "the call ended"
    with pytest.raises(Refused, match="the call is over"):
        await again
