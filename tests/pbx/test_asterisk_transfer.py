"""Transfers on Asterisk: the core on recorded streams (`recordings/transfers/`); the dialplan."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from pbx.asterisk import AsteriskSwitch
from pbx.asterisk.attempt import AsteriskCore
from pbx.asterisk.outputs import (
    AskCallId,
    AskMedia,
    Event,
    Follow,
    HangUpChannel,
    Output,
    ReferAnswered,
)
from pbx.asterisk.transfers import refer_to
from pbx.attempt_core import CloseMedia, ConnectMedia, DisconnectMedia
from pbx.switch import Answered, Digit, Ended, SwitchRefused, Transferred
from pbx.testbed import TestBed
from tests.pbx.calls import Ear, cause, dial, heard, no_channels, until, until_over

RECORDINGS = Path(__file__).parent / "recordings" / "transfers"
NAMES = [path.stem for path in RECORDINGS.glob("*.json")]
Stream = list[tuple[float, dict[str, str]]]


def recording(name: str) -> tuple[Stream, Stream]:
    """The events before the transfer, which begins with the end of the media leg, and after."""
    events = [(at, event) for at, event in json.loads((RECORDINGS / f"{name}.json").read_text())]
    begin = next(i for i, (_, one) in enumerate(events) if one["Event"] == "Hangup")
    return events[:begin], events[begin:]


def feed(core: AsteriskCore, events: Iterable[tuple[float, Event]]) -> list[Output]:
    outputs: list[Output] = []
    for at, event in events:
        core.on_event(event, at)
        outputs += core.take()
    return outputs


def told(outputs: Iterable[Output]) -> list[type[Any]]:
    silent = (AskCallId, Follow, HangUpChannel)
    return [type(one) for one in outputs if not isinstance(one, silent)]


def begin(name: str) -> tuple[AsteriskCore, Stream]:
    """An answered attempt of which a transfer has begun, and the events that followed."""
    head, tail = recording(name)
    caller = next(one["Channel"] for _, one in head + tail if "PJSIP" in one.get("Channel", ""))
    inbound = "caller" in name
    core = AsteriskCore("offhook-1", 0.0, 0.0, far_channel=caller if inbound else None)
    feed(core, head)
    assert core.answered
    if name.startswith("refer"):
        core.begin_refer(tail[0][0])
    else:
        core.begin_join()
    return core, tail


def run_out(core: AsteriskCore) -> list[Output]:
    """Let its deadlines pass until it has none."""
    outputs = core.take()
    for _ in range(10):
        if core.deadline is None:
            break
        core.on_deadline(core.deadline)
        outputs += core.take()
    return outputs


def end_of(outputs: Iterable[Output]) -> tuple[str, str]:
    (ended,) = [one.cause for one in outputs if isinstance(one, Ended)]
    return ended.state, ended.name


def channel(name: str, unique_id: str, linked: str = "offhook-1") -> Event:
    return {
        "Event": "CoreShowChannel",
        "Channel": name,
        "Uniqueid": unique_id,
        "Linkedid": linked,
        "ChannelStateDesc": "Up",
    }


def living(core: AsteriskCore, *media: str) -> list[Event]:
    """Its far leg, and those media legs: its first one, or a new one."""
    assert core.far_channel is not None
    assert core.far_id is not None
    legs = [channel(name, "m2" if name == "UnicastRTP/new" else "offhook-1") for name in media]
    return [*legs, channel(core.far_channel, core.far_id, "offhook-9")]


def test_a_refer_that_was_agreed_to() -> None:
    core, tail = begin("refer_agreed")
    outputs = feed(core, tail)
    kinds = [DisconnectMedia, CloseMedia, Transferred, ReferAnswered, Ended]
    assert told(outputs) == kinds
    assert ReferAnswered(True) in outputs
    assert end_of(outputs) == ("completed", "normal_clearing")


@pytest.mark.parametrize("name", ["refer_refused", "refer_caller_refused"])
@pytest.mark.parametrize("old_leg_ends_late", [False, True])
def test_a_refer_that_was_refused(name: str, old_leg_ends_late: bool) -> None:
    core, tail = begin(name)
    ends = [index for index, (_, one) in enumerate(tail) if one["Event"] == "Hangup"]
    events = tail[: ends[1]]
    if old_leg_ends_late:
        events = [*events[1:], events[0]]

    outputs = feed(core, events)

    assert [kind for kind in told(outputs) if kind is not DisconnectMedia] == [
        ConnectMedia,
        ReferAnswered,
    ]
    assert ReferAnswered(False, 404) in outputs
    assert core.answered
    assert core.deadline is None
    core.hang_up(1.0)
    assert core.take() == [HangUpChannel(core.far_channel or "")]
    outputs = feed(core, tail[ends[1] :])
    assert told(outputs) == [CloseMedia, Ended]
    assert end_of(outputs) == ("completed", "normal_clearing")


def test_a_hang_up_in_the_middle_of_a_refer_has_no_event() -> None:
    core, tail = begin("refer_given_up")
    feed(core, tail[:1])
    core.hang_up(tail[1][0])
    assert core.take() == [HangUpChannel(core.far_channel or "")]
    outputs = feed(core, tail[1:]) + run_out(core)
    assert told(outputs) == [CloseMedia, Ended]
    assert end_of(outputs) == ("completed", "normal_clearing")


@pytest.mark.parametrize("status", [None, "0", "500"])
def test_a_far_end_that_hangs_up_instead_of_an_answer_has_agreed(status: str | None) -> None:
    core, tail = begin("refer_agreed")
    feed(core, tail[:1])
    (at, by_status), (_, hang_up) = tail[2], tail[3]
    if status is not None:
        feed(core, [(at, {**by_status, "Value": status})])
    outputs = feed(core, [(at, hang_up)])
    assert told(outputs) == [CloseMedia, Transferred, ReferAnswered, Ended]
    assert ReferAnswered(True) in outputs


def test_a_far_end_that_refuses_and_hangs_up_was_not_transferred() -> None:
    core, tail = begin("refer_refused")
    feed(core, tail[:3])
    outputs = feed(core, tail[-1:])
    assert told(outputs) == [CloseMedia, Ended]


def test_a_refer_that_rings_for_ever_was_agreed_to() -> None:
    core, tail = begin("refer_agreed")
    feed(core, tail[:1])
    assert core.deadline is not None
    assert core.deadline > tail[0][0] + 32  # what Asterisk gives a far end that says nothing
    core.on_deadline(core.deadline)
    assert told(core.take()) == [CloseMedia, Transferred, ReferAnswered]
    assert core.deadline is not None
    core.on_deadline(core.deadline)
    assert core.take() == [HangUpChannel(core.far_channel or "")]
    assert end_of(feed(core, tail[-1:])) == ("completed", "normal_clearing")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("twice", [False, True])
def test_a_stream_that_breaks_off_anywhere_ends_once(name: str, twice: bool) -> None:
    _, tail = recording(name)
    for length in range(len(tail) + 1):
        core, events = begin(name)
        outputs = feed(core, [one for one in events[:length] for _ in range(1 + twice)])
        outputs += run_out(core)
        if not core.over:
            core.hang_up(events[-1][0])
            outputs += run_out(core)
        assert core.over
        kinds = told(outputs)
        assert kinds.count(Ended) == 1
        assert kinds[-1] is Ended
        assert kinds.count(CloseMedia) == 1
        assert kinds.count(Transferred) <= 1
        assert kinds.count(ReferAnswered) <= 1


@pytest.mark.parametrize("name", ["join_older", "join_younger", "join_caller"])
@pytest.mark.parametrize("answer_comes_late", [False, True])
def test_a_join(name: str, answer_comes_late: bool) -> None:
    core, tail = begin(name)
    outputs = feed(core, tail[:1]) if answer_comes_late else []
    core.transfer(1.0)
    outputs += core.take()
    if not answer_comes_late:
        outputs += feed(core, tail[:1])
    assert [kind for kind in told(outputs) if kind is not DisconnectMedia] == [
        CloseMedia,
        Transferred,
    ]
    assert (core.transferred, core.answered, core.deadline) == (True, False, None)
    core.transfer(1.0)
    assert core.take() == []

    outputs = feed(core, tail[1:])

    assert told(outputs) == [Ended]
    assert end_of(outputs) == ("completed", "normal_clearing")


@pytest.mark.parametrize("far_ends_first", [False, True])
def test_a_media_leg_that_a_join_left_behind_is_hung_up(far_ends_first: bool) -> None:
    """Asterisk may move the far leg before Dial has bridged it; Dial then waits for ever."""
    core, tail = begin("join_older")
    core.transfer(1.0)
    outputs = core.take()
    outputs += feed(core, tail[1:]) if far_ends_first else run_out(core)
    assert HangUpChannel(tail[0][1]["Channel"]) in outputs
    assert core.over is far_ends_first


def test_hanging_up_a_joined_attempt_hangs_its_far_leg_up() -> None:
    core, tail = begin("join_older")
    core.transfer(1.0)
    feed(core, tail[:1])
    core.hang_up(2.0)
    assert core.take() == [HangUpChannel(core.far_channel or "")]
    outputs = run_out(core)
    assert end_of(outputs) == ("completed", "normal_clearing")


def test_a_join_that_was_refused_changes_nothing() -> None:
    core, tail = begin("join_older")
    core.stay()
    assert core.answered
    assert core.take() == []
    outputs = feed(core, tail)
    assert told(outputs) == [CloseMedia, Ended]


def test_half_a_join_leaves_no_far_leg_behind() -> None:
    core, tail = begin("join_older")
    core.stay()
    outputs = feed(core, tail[:1]) + run_out(core)
    assert HangUpChannel(core.far_channel or "") in outputs
    assert told(outputs) == [CloseMedia, Ended]


def test_a_far_leg_that_dies_while_it_is_joined() -> None:
    core, tail = begin("join_older")
    outputs = feed(core, tail)
    assert told(outputs) == [DisconnectMedia, CloseMedia, Ended]
    core.transfer(2.0)
    assert core.take() == []


def test_keys_between_the_two_are_not_told() -> None:
    core, _ = begin("join_older")
    press = {
        "Event": "DTMFEnd",
        "Direction": "Received",
        "Digit": "1",
        "Uniqueid": core.far_id or "",
        "DurationMs": "100",
    }
    core.on_event(press, 1.0)
    assert told(core.take()) == [Digit]
    core.transfer(1.0)
    core.take()
    core.on_event(press, 2.0)
    assert core.take() == []


def test_a_joined_call_is_reconciled_by_its_far_leg() -> None:
    core, _ = begin("join_younger")
    core.transfer(1.0)
    core.take()
    (far,) = living(core)
    stranger = channel("PJSIP/trunk-99", "99.9", "offhook-9")
    assert (core.owns(far), core.owns(stranger)) == (True, False)
    core.reconcile([far], 2.0)
    assert core.take() == []
    core.hang_up(3.0)
    core.take()
    core.reconcile([far], 4.0)
    assert core.take() == [HangUpChannel(core.far_channel or "")]
    core.reconcile([], 5.0)
    assert end_of(core.take()) == ("completed", "normal_clearing")


def test_a_joined_call_whose_link_stays_down_was_no_failure() -> None:
    core, _ = begin("join_older")
    core.transfer(1.0)
    core.take()
    core.lose("The link was down for too long.", 60.0)
    assert end_of(core.take()) == ("completed", "normal_clearing")


def test_what_became_of_a_join_is_found_out() -> None:
    core, _ = begin("join_older")
    core.reconcile(living(core, "UnicastRTP/1"), 1.0)
    assert not core.answered  # its answer is still to come
    core.doubt()
    core.reconcile(living(core), 2.0)
    assert told(core.take()) == [CloseMedia, Transferred]

    core, _ = begin("join_older")
    core.doubt()
    core.reconcile(living(core, "UnicastRTP/1"), 2.0)
    assert core.answered
    assert core.take() == []


def test_what_became_of_a_refer_is_found_out() -> None:
    core, tail = begin("refer_refused")
    media = tail[0][1]["Channel"]
    core.reconcile(living(core, media), 1.0)
    core.reconcile(living(core), 1.0)
    assert (core.take(), core.answered) == ([], False)
    core.reconcile(living(core, "UnicastRTP/new"), 2.0)
    assert core.take() == [Follow("m2"), AskMedia("UnicastRTP/new")]
    core.media_at("UnicastRTP/new", "127.0.0.1", 4000)
    assert core.take() == [ConnectMedia("127.0.0.1", 4000), ReferAnswered(False)]
    assert core.answered

    core, _ = begin("refer_refused")
    core.doubt()
    core.reconcile(living(core, media), 2.0)
    assert core.answered

    core, _ = begin("refer_refused")
    core.reconcile([], 2.0)
    assert told(core.take()) == [CloseMedia, Transferred, ReferAnswered, Ended]


@pytest.mark.parametrize(
    ("contact", "uri"),
    [
        ("sip:127.0.0.1:5060", "sip:+1555@127.0.0.1:5060"),
        ("sip:sip.carrier.example", "sip:+1555@sip.carrier.example"),
        ("sips:account@carrier.example:5061;transport=tls", "sip:+1555@carrier.example:5061"),
        ("sip:[2001:db8::1]:5060", "sip:+1555@[2001:db8::1]:5060"),
        ("tel:+1234", None),
        ("sip:a@b,c@d", None),
        ("sip:host/path", None),
    ],
)
def test_whom_to_call_is_told_by_the_carriers_address(contact: str, uri: str | None) -> None:
    assert refer_to("+1555", contact) == uri


@pytest_asyncio.fixture(loop_scope="session")
async def bare(bed: TestBed) -> AsyncIterator[None]:
    """An operator's Asterisk without Offhook's context."""
    extensions = bed.ours.etc / "extensions.conf"
    shipped = extensions.read_text()
    extensions.write_text(shipped.replace("[offhook-refer]", "[something-else]"))
    await bed.ours.cli("dialplan reload")
    yield
    extensions.write_text(shipped)
    await bed.ours.cli("dialplan reload")


@pytest.mark.usefixtures("bare")
async def test_without_the_context_nothing_is_referred(
    bed: TestBed, switch: AsteriskSwitch
) -> None:
    attempt = await switch.originate(dial("echo"))
    await until(attempt, Answered)

    with pytest.raises(SwitchRefused, match=r"offhook-refer.*extensions\.conf") as refusal:
        await attempt.refer("+15550100")

    assert refusal.value.field == "transfer"
    ear = Ear(attempt.rate, tone_hz=620)
    attempt.attach(ear)
    await heard(ear)
    await attempt.hang_up()
    await until_over(attempt)
    findings = {one.check: one for one in await switch.check()}
    assert findings["transfer"].ok
    assert "offhook-refer" in findings["transfer"].message
    await no_channels(bed)


async def test_the_doctor_knows_that_it_can_refer(switch: AsteriskSwitch) -> None:
    findings = {one.check: one for one in await switch.check()}
    assert (findings["transfer"].ok, findings["transfer"].message) == (
        True,
        "by bridging and by REFER",
    )


async def test_a_call_that_came_back_is_found_and_hung_up_by_its_id(
    bed: TestBed, switch: AsteriskSwitch
) -> None:
    attempt = await switch.originate(dial("echo"))
    await until(attempt, Answered)
    with pytest.raises(SwitchRefused):
        await attempt.refer("+15550100")

    assert await switch.living_channels() == [attempt.id]
    await switch.hang_up_channel(attempt.id)

    assert cause(await until_over(attempt)).state == "completed"
    assert await switch.living_channels() == []
    await no_channels(bed)


async def test_two_transfers_at_once_are_one(bed: TestBed, switch: AsteriskSwitch) -> None:
    attempts = [await switch.originate(dial(name)) for name in ("referable", "silent")]
    for attempt in attempts:
        await until(attempt, Answered)
    first, second = attempts

    results = await asyncio.gather(
        first.join(second), second.join(first), first.refer("+15550100"), return_exceptions=True
    )

    assert [isinstance(one, SwitchRefused) for one in results] == [False, True, True]
    await first.hang_up()
    for attempt in attempts:
        await until_over(attempt)
    await no_channels(bed)
