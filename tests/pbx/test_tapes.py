"""What a real FreeSWITCH sent, all of it: read byte by byte, and told as calls by the core."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pbx.freeswitch.attempt import FreeSwitchCore, OpenAudio
from pbx.freeswitch.esl import EslParser, Message, read_event
from pbx.switch import Answered, Dialing, Digit, EarlyMedia, Ended, Progress, Ringing
from tests.pbx.esl_peer import steps_of
from tests.pbx.tape import FOLDER, read_tape, streams

TAPES = sorted(FOLDER.glob("*.xz"))
every_tape = pytest.mark.parametrize("tape", TAPES, ids=lambda path: str(path.stem))
every_whole_tape = pytest.mark.parametrize(
    "tape",
    [path for path in TAPES if not path.name.startswith("stream_")],
    ids=lambda path: str(path.stem),
)
#: What FreeSWITCH's word for the end means for a call that nobody answered.
_STATES = {
    "USER_BUSY": "busy",
    "NO_ANSWER": "no_answer",
    "NO_USER_RESPONSE": "no_answer",
    "ORIGINATOR_CANCEL": "canceled",
}


def test_there_are_tapes() -> None:
    assert len(TAPES) > 100


@every_tape
def test_a_stream_is_the_same_however_it_is_split(tape: Path) -> None:
    for stream in streams(tape):
        whole = EslParser().feed(stream)
        parser = EslParser()
        bytewise: list[Message] = []
        for position in range(len(stream)):
            bytewise += parser.feed(stream[position : position + 1])
        assert bytewise == whole
        assert whole


class Told:
    """One channel's life as the core tells it from a tape's events and commands."""

    def __init__(self, channel_id: str, *, inbound: bool, at_s: float) -> None:
        self.core = FreeSwitchCore(channel_id, at_s, 0.0, inbound=inbound, ring_timeout_s=600)
        self.inbound = inbound
        self.was_killed = False
        self.events: list[Mapping[str, str]] = []
        self.progress: list[Progress] = []

    def event(self, event: Mapping[str, str], at_s: float) -> None:
        self.events.append(event)
        self.core.on_event(event, at_s)
        self._take()

    def kill(self, at_s: float) -> None:
        self.was_killed = True
        self.core.hang_up(at_s)
        self._take()

    def saw(self, name: str) -> Sequence[Mapping[str, str]]:
        """Those events, of the time when the call was ours."""
        names = [event["Event-Name"] for event in self.events]
        ours = names.index("CHANNEL_BRIDGE") if "CHANNEL_BRIDGE" in names else len(names)
        return [
            event
            for position, event in enumerate(self.events)
            if event["Event-Name"] == name and (name != "DTMF" or position < ours)
        ]

    def _take(self) -> None:
        for output in self.core.take():
            match output:
                case OpenAudio(turn):
                    self.core.audio_opened(turn)
                case Dialing() | Ringing() | EarlyMedia() | Answered() | Digit() | Ended():
                    self.progress.append(output)
                case _:
                    pass


def lives(tape: Path) -> Sequence[Told]:
    """Every channel of ours on a tape."""
    found: dict[str, Told] = {}
    for step in steps_of(read_tape(tape)):
        if step.mark == "ours":
            if uuid := re.search(r"origination_uuid=([^|]+)", step.text):
                found.setdefault(uuid[1], Told(uuid[1], inbound=False, at_s=step.at_s))
            killed = re.match(r"bgapi uuid_kill (\S+) NORMAL_CLEARING", step.text)
            if killed is not None and killed[1] in found:
                found[killed[1]].kill(step.at_s)
        elif step.mark == "theirs":
            (message,) = EslParser().feed(step.text.encode("latin-1"))
            event = read_event(message.body) if "event-plain" in message.content_type else {}
            channel_id = event.get("Unique-ID", "")
            if event.get("Event-Name") == "CHANNEL_PARK" and channel_id not in found:
                found[channel_id] = Told(channel_id, inbound=True, at_s=step.at_s)
            if channel_id in found:
                found[channel_id].event(event, step.at_s)
    return list(found.values())


@every_whole_tape
def test_every_call_on_a_tape_is_told_as_it_was(tape: Path) -> None:
    for life in lives(tape):
        kinds = [type(one) for one in life.progress]
        assert len(set(kinds) - {Digit}) == len([kind for kind in kinds if kind is not Digit])
        assert (Dialing in kinds) is (not life.inbound and bool(life.events))
        # What was answered while the link was cut is told by the next parking.
        parked = [event["Answer-State"] for event in life.saw("CHANNEL_PARK")]
        was_answered = bool(life.saw("CHANNEL_ANSWER")) or "answered" in parked
        assert (Answered in kinds) is was_answered
        assert (Ringing in kinds) is (not life.inbound and bool(life.saw("CHANNEL_PROGRESS")))
        digits = [one.digit for one in life.progress if isinstance(one, Digit)]
        assert digits == [event["DTMF-Digit"] for event in life.saw("DTMF")]
        ends = [one for one in life.progress if isinstance(one, Ended)]
        completed = life.saw("CHANNEL_HANGUP_COMPLETE")
        assert len(ends) == len(completed)
        if ends:
            assert life.progress[-1] is ends[0]
            cause = ends[0].cause
            if Answered in kinds:
                assert cause.state == "completed"
            elif life.inbound or life.was_killed:
                assert cause.state == "canceled"
            else:
                assert cause.state == _STATES.get(completed[0]["Hangup-Cause"], "failed")
            assert cause.sip_call_id == completed[0].get("variable_sip_call_id")
