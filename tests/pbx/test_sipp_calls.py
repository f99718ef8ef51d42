"""How calls with far ends and callers as they really are end, and that they leave nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pbx.switch import Answered, Attempt, Dial, Dialing, Digit, EarlyMedia, Held, Progress, Ringing
from tests.pbx.calls import cause, new_id, no_channels
from tests.pbx.kinds import Reception
from tests.pbx.sipp import SippLab

_LIMIT_S: Final = 90.0
_RANG: Final = (Dialing, Ringing)
_PLAYED: Final = (Dialing, EarlyMedia)


@dataclass(frozen=True)
class FarEnd:
    """A scenario of SIPp, and what a call of it comes to."""

    scenario: str
    before: Sequence[type[Progress]]
    state: str = "completed"
    sip_code: int = 200
    keys: str = ""
    number: str = "+15550100"
    talk_s: float = 1.0


FAR_ENDS: Final = (
    FarEnd("01_early404", _PLAYED, "failed", 404),
    FarEnd("02_early486", _PLAYED, "busy", 486),
    FarEnd("04_180nosdp", (*_RANG, Answered)),
    FarEnd("08_rfc4733", (*_RANG, Answered), keys="135#09", talk_s=9),
    FarEnd("09_info", (*_RANG, Answered), keys="135#7", talk_s=5),
    FarEnd("10_inband", (*_RANG, Answered), talk_s=4),
    FarEnd("13_bye100", (*_RANG, Answered)),
    FarEnd("14_timer", (*_RANG, Answered)),
    FarEnd("15_sendonly", (*_RANG, Held, Answered)),
    FarEnd("16_603", _RANG, "failed", 603),
    FarEnd("17_422", (*_RANG, Answered)),
    FarEnd("18_prack", (*_PLAYED, Answered)),
    FarEnd("23_407", (Dialing,), "failed", 407),
    FarEnd("27_181", (*_RANG, Answered)),
    FarEnd("28_inband_dsp", (*_RANG, Answered), keys="125#", talk_s=4),
    FarEnd("32_longearly", (*_PLAYED, Answered)),
    FarEnd("37_302phone", (Dialing,), "failed", 302),
)
STATES: Final = {"no_answer": (408, 480), "busy": (486, 600)}
CODES: Final = (
    *(400, 403, 404, 408, 410, 480, 482, 484, 486, 487, 488),
    *(500, 502, 503, 504, 580, 600, 603, 604, 606, 607, 608),
)


async def dialled(lab: SippLab, reception: Reception, far: FarEnd) -> FarEnd:
    """What a call of it came to."""
    async with lab.answering(far.scenario) as sipp:
        wish = Dial(new_id(), far.number, "+15550199", ring_timeout_s=60, trunk=sipp.trunk)
        events = await followed(await reception.switch.originate(wish), far.talk_s)
        end = cause(events)
        assert end.sip_call_id
        assert end.sip_call_id in sipp.messages()
        assert await sipp.ended(10) == 0, far.scenario
    keys = "".join(one.digit for one in events if isinstance(one, Digit))
    before = tuple(type(one) for one in events[:-1] if not isinstance(one, Digit))
    return FarEnd(far.scenario, before, end.state, end.sip_code or 0, keys, far.number, far.talk_s)


async def followed(attempt: Attempt, talk_s: float) -> list[Progress]:
    """Every event of an attempt that we end so long after the answer."""
    events: list[Progress] = []
    hang_up: asyncio.Task[None] | None = None

    async def end() -> None:
        await asyncio.sleep(talk_s)
        await attempt.hang_up()

    async with asyncio.timeout(_LIMIT_S):
        async for event in attempt.progress():
            events.append(event)
            if isinstance(event, Answered):
                hang_up = asyncio.create_task(end())
    if hang_up is not None:
        hang_up.cancel()
    return events


async def test_far_ends_as_they_are(sipp: SippLab, reception: Reception) -> None:
    came_to = await asyncio.gather(*(dialled(sipp, reception, one) for one in FAR_ENDS))
    wrong = [(got, wanted) for got, wanted in zip(came_to, FAR_ENDS, strict=True) if got != wanted]
    assert not wrong


async def test_every_code_of_a_refusal(sipp: SippLab, reception: Reception) -> None:
    """Each is told with its own code and SIP Call-ID, though the channel is gone at once."""
    told = {}
    async with sipp.answering("24_code", calls=len(CODES)) as far:
        for code in CODES:
            wish = Dial(new_id(), f"+99902{code}", "+15550199", trunk=far.trunk)
            end = cause(await followed(await reception.switch.originate(wish), 0))
            told[code] = (end.state, end.sip_code, (end.sip_call_id or "none") in far.messages())
    states = {code: state for state, codes in STATES.items() for code in codes}
    assert told == {code: (states.get(code, "failed"), code, True) for code in CODES}


async def test_callers_as_they_are(sipp: SippLab, reception: Reception) -> None:
    names = ("u_01_cancel", "u_01_cancel", "u_02_randombye", "u_07_odd", "u_14_nosdp")
    ends: list[str] = []

    async def take() -> None:
        while True:
            call = await reception.next_call()
            # A caller whose CANCEL crossed our 200 may be gone without a BYE.
            ends.append(cause(await followed(call.attempt, 8)).state)

    async def ring(name: str) -> int:
        async with sipp.calling(name) as caller:
            code = await caller.ended(30)
            return 0 if "cancel" in name else code

    desks = [asyncio.create_task(take()) for _ in names]
    assert await asyncio.gather(*map(ring, names)) == [0] * len(names)
    await no_channels(sipp.bed)
    await asyncio.sleep(0.2)
    for desk in desks:
        desk.cancel()
    await asyncio.gather(*desks, return_exceptions=True)
    assert ends.count("completed") >= 3
    assert set(ends) <= {"completed", "canceled"}


async def test_a_caller_of_no_sense_brings_no_call(sipp: SippLab, reception: Reception) -> None:
    async with sipp.calling("u_03_badsdp") as caller:
        assert await caller.ended(10) == 0
    assert reception.calls.empty()


async def test_a_strange_from_is_only_text(sipp: SippLab, reception: Reception) -> None:
    async with sipp.calling("u_15_odd_from") as caller:
        call = await reception.next_call()
        assert call.brought.diversion == "<sip:+15559998888@x.invalid>;reason=unconditional"
        assert (call.caller_number, call.trunk) == ("anonymous", caller.trunk)
        end = cause(await followed(call.attempt, 30))
        assert (end.state, bool(end.sip_call_id)) == ("completed", True)
        assert await caller.ended(5) == 0


async def test_a_callee_who_transfers_the_call_dials_nobody(
    sipp: SippLab, reception: Reception
) -> None:
    async with sipp.answering("38_refer") as far:
        wish = Dial(new_id(), "+15550100", "+15550199", trunk=far.trunk)
        attempt = await reception.switch.originate(wish)
        end = cause(await followed(attempt, 30))
        assert (end.state, end.sip_code) == ("completed", 200)
        assert "+15550101003" in end.message
        assert far.messages().count("INVITE sip:") == 1
