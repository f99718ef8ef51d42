"""Holds a black box's conversation once more, step by step as it was, or live."""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Final, Protocol

import numpy as np

from api.blackbox.archive import Box, BoxError
from api.blackbox.entries import Entry, Teller
from api.blackbox.held import tool_specs
from api.replay.answers import Answers, Ears, Ends, Mind, Mouth, RecordedTool
from api.replay.detectors import Compared, Detector, Onset, Verdicts
from api.replay.virtual_time import StuckError, VirtualTime
from voice_loop.audio import Samples, frame_samples
from voice_loop.commands import Command
from voice_loop.config import ConversationConfig
from voice_loop.conversation import Conversation
from voice_loop.events import EndReason, Turn
from voice_loop.ports import Engines
from voice_loop.signals import Moment, Signal

#: An event is decided on this soon in any recording; where it is not, that is another one.
_AT_ONCE_FRAMES: Final = 3
#: So long a conversation may go on after the recording's end, seconds.
_AFTER_S: Final = 1.0
_CALLS: Final = ("prepare", "tell", "press", "hold", "hung_up", "stop", "transferred")


@dataclass(frozen=True)
class Difference:
    """Where a replay first decides otherwise."""

    frame: int
    recorded: Mapping[str, Any] | None
    """None: nothing was decided then."""
    replayed: Mapping[str, Any] | None


@dataclass(frozen=True)
class Replayed:
    """What became of a conversation that was held once more."""

    decisions: Sequence[Mapping[str, Any]]
    """As a box has them."""
    turns: Sequence[Turn]
    first_difference: Difference | None
    strange: Mapping[str, int]
    """Requests that are not in the recording, by engine."""
    detector: Compared
    unheard: int
    """Frames whose audio the recording lacks."""
    reason: EndReason | None
    """None: it was not over at the end of the recording."""


class Pace(Protocol):
    """How the time of a replay passes."""

    def now(self) -> float:
        """Seconds since it began."""
        ...

    async def until(self, at: float) -> None:
        """Come back once it is so late, and all has happened that does before."""
        ...


class RealPace:
    """As it was in the call."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._began

    async def until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - self.now()))


class VirtualPace:
    """As fast as it computes; within `api.replay.virtual_time.run`."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTime)
        self._loop = loop

    def now(self) -> float:
        return self._loop.time()

    async def until(self, at: float) -> None:
        await self._loop.until(at)


class Replay:
    """One replay; the witness (`voice_loop.witness`) of its conversation.

    In step with the recording, each event is decided on where it was then, so that nothing hangs
    on how this machine's tasks follow each other. From the first difference on it goes by itself.
    """

    def __init__(
        self,
        box: Box,
        config: ConversationConfig,
        today: Engines,
        pace: Pace,
        *,
        live: bool = False,
        detectors_today: bool = False,
    ) -> None:
        """
        Args:
            box: the recording.
            config: how the conversation is held, but for its tools.
            today: engines of today: they answer where `live`, else its detectors judge beside the
                recording's.
            pace: how time passes.
            live: whether they answer.
            detectors_today: whether their judgement of sounds holds.

        Raises BoxError.
        """
        self._entries = box.entries
        self._pace = pace
        self._teller = Teller()
        self._decisions: list[Mapping[str, Any]] = []
        self._first: Difference | None = None
        self._gate: asyncio.Future[None] | None = None
        self._turns: list[Turn] = []
        self._verdicts = Verdicts()
        self._unheard = 0
        self._running: asyncio.Task[EndReason] | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._whole = any(one.kind == "ended" for one in box.entries)
        try:
            self._recorded = [
                _decision(one.fields) for one in box.entries if one.kind == "decision"
            ]
            self._answers = Answers(box.entries, pace.now)
            self._rate = _one_of(box.header, "rate", (8000, 16000))
            engines, tools = self._engines(box, today, live, detectors_today or live)
        except (KeyError, TypeError, ValueError) as error:
            raise BoxError(f"the black box is broken: {error!r}") from error
        self._live = live
        self._answers.in_step = not live
        self._silence = np.zeros(frame_samples(self._rate), dtype=np.int16)
        self._conversation = Conversation(
            str(box.header["call_id"]),
            replace(config, tools=tools),
            engines,
            self._rate,
            self._turns.append,
            witness=self,
        )

    def _engines(
        self, box: Box, today: Engines, live: bool, obeyed: bool
    ) -> tuple[Engines, tuple[RecordedTool, ...]]:
        answers, header = self._answers, box.header
        onset = Onset(box.entries, today.onset, obeyed=obeyed)
        heard = replace(
            today,
            new_detector=lambda rate: Detector(
                self._verdicts, today.new_detector(rate), obeyed=obeyed
            ),
            onset=onset if header["has_onset"] else None,
        )
        tools = tuple(
            RecordedTool(answers, spec, say) for spec, say in tool_specs(header["conversation"])
        )
        if live:
            return heard, tools
        rate = int(header["voice_rate"])
        if not 8000 <= rate <= 48_000:
            raise ValueError(f"voice_rate: {rate}")
        recorded = replace(
            heard,
            stt=Ears(answers),
            llm=Mind(answers),
            tts=Mouth(answers, rate),
            turn_end=Ends(answers) if header["has_turn_end"] else None,
            min_confidence=float(header["min_confidence"]),
        )
        return recorded, tools

    # The witness ------------------------------------------------------------------------

    def now(self) -> float:
        return self._pace.now()

    def told(self, name: str, *arguments: Any) -> None: ...

    def began(self) -> None: ...

    def ended(self) -> None: ...

    def heard(
        self, frame: Samples, arrived_at: float, now: float, *, expected: bool, away: bool
    ) -> None: ...

    async def admit(self, what: Signal | str, frame: int) -> None:
        if not self._answers.in_step:
            return
        due = self._due
        on = self._teller.signal(what)
        # The end lets a while pass before.
        waits = 0 if due is None or isinstance(what, str) else due["frame"] - frame
        late = waits > _AT_ONCE_FRAMES
        if due is None or late or due["on"] != on:
            self._part(frame, due, {"on": on, "commands": None})
            return
        self._gate = asyncio.get_running_loop().create_future()
        await self._gate

    def decided(
        self,
        what: Signal | str,
        moment: Moment,
        commands: Sequence[Command],
        evidence: Mapping[str, Any],
    ) -> None:
        plain = self._teller.plain
        made = {
            "at": self.now(),
            "frame": moment.frame,
            "on": self._teller.signal(what),
            "commands": plain(commands),
            "evidence": evidence,
        }
        due = self._due
        self._decisions.append(made)
        if self._answers.in_step and (due is None or _substance(due) != _substance(made)):
            self._part(moment.frame, due, made)

    @property
    def _due(self) -> Mapping[str, Any] | None:
        """What was decided next in the recording."""
        made = len(self._decisions)
        return self._recorded[made] if made < len(self._recorded) else None

    def _part(
        self, frame: int, recorded: Mapping[str, Any] | None, replayed: Mapping[str, Any] | None
    ) -> None:
        """The replay is another conversation from now on, or a longer one."""
        self._answers.in_step = False
        if self._first is None and (recorded is not None or self._whole):
            self._first = Difference(
                frame,
                None if recorded is None else _substance(recorded),
                None if replayed is None else {k: replayed[k] for k in ("on", "commands")},
            )
        if self._gate is not None and not self._gate.done():
            self._gate.set_result(None)

    # The way ----------------------------------------------------------------------------

    async def run(self) -> Replayed:
        """Go through the recording. Raises BoxError where it cannot be gone through."""
        reason: EndReason | None = None
        decided = 0
        try:
            for entry in self._entries:
                await self._pace.until(entry.at)
                if self._running is not None and self._running.done():
                    break
                decided += entry.kind == "decision"
                self._take(entry, decided)
            reason = await self._end()
        except StuckError:
            raise
        except Exception as error:  # it may be anybody's
            raise BoxError(f"the black box cannot be replayed: {error!r}") from error
        finally:
            await self._close()
        if self._answers.in_step and len(self._decisions) < len(self._recorded):
            self._part(self._decisions[-1]["frame"] if self._decisions else 0, self._due, None)
        if self._live:
            self._compare()
        return Replayed(
            self._decisions,
            self._turns,
            self._first,
            dict(self._answers.strange),
            self._verdicts.compared,
            self._unheard,
            reason,
        )

    def _compare(self) -> None:
        """Find where a replay that goes by itself from the start decides otherwise."""
        for was, now in zip_longest(self._recorded, self._decisions):
            if was is None or now is None or _substance(was) != _substance(now):
                there = now or was
                assert there is not None
                self._part(there["frame"], was, now)
                return

    def _take(self, entry: Entry, decided: int) -> None:
        fields = entry.fields
        match entry.kind:
            case "told":
                self._call(fields)
            case "began" if self._running is None:
                self._running = asyncio.create_task(self._conversation.run(_Line(self._rate)))
            case "tick":
                self._tick(entry)
            case "answer":
                self._answers.reach(entry)
            case "decision" if self._answers.in_step and len(self._decisions) < decided:
                if self._gate is None or self._gate.done():
                    self._part(fields["frame"], fields, None)
                else:
                    self._gate.set_result(None)
            case _:
                pass

    def _call(self, fields: Mapping[str, Any]) -> None:
        name, arguments = fields["name"], fields["arguments"]
        if name not in _CALLS:
            raise ValueError(f"told: {name!r}")
        if name == "prepare":
            if self._preparing is None:
                self._preparing = asyncio.create_task(self._conversation.prepare())
        else:
            getattr(self._conversation, name)(*arguments)

    def _tick(self, entry: Entry) -> None:
        fields, frame = entry.fields, entry.pcm
        if frame is None:
            frame = self._silence
            self._unheard += 1
        if frame.size != self._silence.size:
            raise ValueError(f"a frame of {frame.size} samples")
        verdicts = self._verdicts
        verdicts.frame += 1
        verdicts.speech = bool(fields["speech"])
        verdicts.convinced = bool(fields.get("convinced", True))
        now = entry.at
        if fields.get("expected"):
            self._conversation.expect(frame)
        if fields.get("away"):
            self._conversation.pass_time(frame, now)
        else:
            arrived = fields["arrived"]
            arrived_at = -math.inf if arrived is None else float(arrived)
            self._conversation.exchange(frame, arrived_at, now)

    async def _end(self) -> EndReason | None:
        """Hang up on a conversation that the recording does not end."""
        now = self._pace.now()
        if self._running is None:
            return None
        await self._pace.until(now + _AFTER_S)
        if self._running.done():
            return self._running.result()
        self._answers.in_step = False
        if self._gate is not None and not self._gate.done():
            self._gate.set_result(None)
        self._conversation.hung_up()
        await self._pace.until(now + 2 * _AFTER_S)
        return None

    async def _close(self) -> None:
        tasks = [one for one in (self._running, self._preparing) if one is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await self._pace.until(self._pace.now() + _AFTER_S)
            await asyncio.wait(tasks, timeout=_AFTER_S)
        for task in tasks:
            if task.done() and not task.cancelled():
                task.exception()  # it was told of, or is that of a broken box


class _Line:
    """The line of a replay: there is none."""

    id = "replay"

    def __init__(self, rate: int) -> None:
        self.rate = rate

    async def hang_up(self) -> None:
        """Takes no time."""

    async def send_digits(self, digits: str) -> None:
        """Sends none."""


def _decision(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raises KeyError, TypeError."""
    if not isinstance(fields["frame"], int) or not isinstance(fields["commands"], list):
        raise TypeError(f"decision: {fields}")
    return {**fields, "on": fields["on"]}


def _substance(decision: Mapping[str, Any]) -> Mapping[str, Any]:
    """What two decisions are compared by: all but times, to which a replay adds nothing."""
    return {name: _untimed(decision[name]) for name in ("frame", "on", "commands")}


def _untimed(told: Any) -> Any:
    if isinstance(told, Mapping):
        return {name: _untimed(one) for name, one in told.items() if name not in ("timings", "at")}
    return [_untimed(one) for one in told] if isinstance(told, list) else told


def _one_of(header: Mapping[str, Any], name: str, values: Sequence[int]) -> int:
    if header[name] not in values:
        raise ValueError(f"{name}: {header[name]!r}")
    return int(header[name])
