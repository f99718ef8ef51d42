"""What an operator's capture of calls (`api.telemetry.homer`) is told of an attempt as it goes."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Final

from api.resources.attempt import Ended as Ending
from api.resources.claim import Claim
from api.settings import Settings
from api.telemetry.homer import CallCapture, Homer, HomerSender, address_of
from pbx.switch import (
    Answered,
    AudioLost,
    AudioProblem,
    AudioRestored,
    Dialing,
    Digit,
    EarlyMedia,
    Ended,
    Held,
    Progress,
    Resumed,
    Ringing,
    Transferred,
)
from voice_loop import events

#: What each is called, and the response that stands for it where the PBX told of one.
_STEPS: Final[Mapping[type[Progress], tuple[str, int | None]]] = {
    Dialing: ("dialing", None),
    Ringing: ("ringing", 180),
    EarlyMedia: ("early_media", 183),
    Answered: ("answered", 200),
    Held: ("held", None),
    Resumed: ("resumed", None),
    AudioLost: ("audio_lost", None),
    AudioRestored: ("audio_restored", None),
    Transferred: ("transferred", None),
}


@contextlib.asynccontextmanager
async def capturing(settings: Settings) -> AsyncIterator[Callable[[str], CallCapture]]:
    """What makes the capture of a call with that id; one that tells nobody without `hep.host`."""
    hep, pbx = settings.hep, settings.pbx
    if hep.host is None:
        yield partial(CallCapture, None)
        return
    control = pbx.ami if pbx.kind == "asterisk" else pbx.esl
    password = None if hep.password is None else hep.password.get_secret_value()
    sender = HomerSender(Homer(hep.host, hep.port, hep.capture_id, password))
    await sender.start()
    try:
        yield partial(CallCapture, sender, pbx=await address_of(control.host, control.port))
    finally:
        sender.close()


class Capturing:
    """Puts the steps of one attempt into facts without words and numbers."""

    def __init__(self, capture: CallCapture, claim: Claim) -> None:
        self._capture = capture
        self._attempt = claim.attempt
        capture.known_as(claim.attempt.sip_call_id)
        facts = {"direction": claim.call.direction, "trunk": claim.attempt.trunk}
        capture.fact(claim.attempt.created_at, "placed", {"attempt": claim.attempt.number} | facts)

    def progress(self, event: Progress) -> None:
        """The PBX told that."""
        match event:
            case Ended(_, cause):
                self._capture.known_as(cause.sip_call_id)
            case Digit():
                self._capture.fact(event.at, "key", {"duration_ms": event.duration_ms})
            case AudioProblem():
                told = {"problem": event.problem, "cause": event.cause}
                self._capture.fact(event.at, "audio_problem", told)
            case _:
                if isinstance(event, Ringing | EarlyMedia | Answered):
                    self._capture.known_as(event.sip_call_id)
                name, sip_code = _STEPS[type(event)]
                self._capture.fact(event.at, name, {"sip_code": sip_code})

    def turn(self, turn: events.Turn, ended_at: float) -> None:
        """A turn is over: how long it was, and where the time of the answer went."""
        timings = turn.timings
        self._capture.fact(
            ended_at,
            "turn",
            {
                "speaker": turn.speaker,
                "duration_ms": turn.ended_ms - turn.started_ms,
                "interrupted": turn.interrupted or None,
                "endpoint_ms": timings and timings.endpoint_ms,
                "first_audio_ms": timings and timings.first_audio_ms,
                "wire_ms": timings and timings.wire_ms,
                "tool": turn.tool and turn.tool.name,
            },
        )

    def ended(self, ending: Ending) -> None:
        """It is over, and on disk."""
        cause = ending.cause
        self._capture.known_as(cause.sip_call_id)
        if ending.answerer is not None:
            self._capture.fact(ending.at, "answerer", ending.answerer)
        self._capture.fact(
            ending.at,
            "ended",
            {
                "status": cause.state,
                "end_reason": ending.end_reason,
                "cause": cause.name,
                "q850": cause.q850,
                "sip_code": cause.sip_code,
            },
        )
        if ending.quality is not None:
            self._capture.quality(ending.at, ending.quality)
            for one in ending.quality.problems:
                told = {"problem": one.problem, "way": one.way, "cause": one.cause}
                self._capture.fact(ending.at, "problem", told)
        self._capture.flush()
