"""Calls in the laboratory: each with a caller, a telephone and the product's own server between."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from api.base.lifecycle import TERMINAL
from api.calls.engines import Brought
from api.client import OffhookClient
from api.lab.caller import Caller
from api.lab.library import Library
from api.lab.scenario import Scenario
from api.lab.script import script_of
from api.lab.spans import Span
from api.lab.stub_engines import WORD_MS, StubLanguageModel, StubRecogniser, StubVoice
from api.lab.telephone import Telephone
from api.lab.trace import CallTrace, Decision, HeardTurn
from api.resources.turn import Turn
from api.store import Store
from models.load import LoadedEngines
from models.registry import Named
from pbx.codecs import Codec
from pbx.testbed import Asterisk, telephone_number
from voice_loop.audio import Samples

#: How long a call may take to reach the telephone, to be talked on, and to be over.
_RINGS_S: Final = 20.0
_LONGEST_S: Final = 180.0
_OVER_S: Final = 10.0
_DECISIONS: Final = "voice_loop.conversation.decisions"


@dataclass(frozen=True)
class Wanted:
    """One call to be made."""

    name: str
    """What its figures are told under."""
    scenario: Scenario
    pick: int
    """Which of several recordings, and the seed of what is left to chance."""
    agent: Mapping[str, Any]
    """Fields of an agent; they hold before the scenario's own."""


@dataclass(frozen=True)
class StubSet:
    """The stub engines of one call, each by a name of its own."""

    name: str
    recogniser: StubRecogniser
    llm: StubLanguageModel
    voice: StubVoice

    @property
    def agent(self) -> Mapping[str, Any]:
        """How a call names them."""
        return {
            "transcriber": {"model": self.name},
            "llm": {"model": self.name},
            "voice": {"id": self.name},
        }


class Stubs:
    """The stub engines of as many calls, to be brought along to the server."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self._wanted = wanted
        self.sets: list[StubSet] = []

    async def warm_up(self) -> None:
        """Speak the words of all calls once: each comes at its pace from then on."""
        for one, call in zip(self.sets, self._wanted, strict=True):
            opening = {**call.scenario.agent, **call.agent}.get("first_sentence") or ""
            for text in (*call.scenario.stub.replies, opening):
                await one.voice.warm_up(text)

    def bring(self, loaded: LoadedEngines) -> Brought:
        """Make them, over the loaded voice."""
        voice = next(iter(loaded.voices.values()))
        words: dict[str, Samples] = {}
        self.sets = [
            StubSet(
                f"lab-{index}",
                StubRecogniser(one.scenario.stub),
                StubLanguageModel(one.scenario.stub),
                StubVoice(one.scenario.stub, voice, words),
            )
            for index, one in enumerate(self._wanted)
        ]
        languages = loaded.languages
        return Brought(
            [Named(one.name, one.llm) for one in self.sets],
            [Named(one.name, one.voice, languages=languages) for one in self.sets],
            [Named(one.name, one.recogniser, languages=languages) for one in self.sets],
        )


@dataclass(frozen=True)
class Laboratory:
    """What calls are made with."""

    store: Store
    client: OffhookClient
    carrier: Asterisk
    library: Library
    codec: Codec

    async def run(
        self,
        wanted: Sequence[Wanted],
        stubs: Sequence[StubSet],
        at_once: int,
        say: Callable[[str], None],
    ) -> list[CallTrace]:
        """Make all calls, so many at once; gives their traces, in order.

        Args:
            wanted: the calls.
            stubs: the engines of each; empty where calls have the server's own.
            at_once: calls under way at one time.
            say: told of each that is over.

        Raises OffhookError for a call that is refused.
        """
        room = asyncio.Semaphore(at_once)
        with _overheard() as decisions:

            async def one(index: int) -> CallTrace:
                async with room:
                    trace = await self._call(
                        wanted[index], stubs[index] if stubs else None, decisions
                    )
                say(f"{trace.scenario}: {trace.status} after {trace.length_s:.0f} s")
                return trace

            tasks = [asyncio.create_task(one(index)) for index in range(len(wanted))]
            try:
                return await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()

    async def _call(
        self, wanted: Wanted, stubs: StubSet | None, decisions: dict[str, list[tuple[float, str]]]
    ) -> CallTrace:
        scenario = wanted.scenario
        caller = Caller(script_of(scenario, self.library, wanted.pick), wanted.pick)
        async with Telephone(self.codec, scenario.line, wanted.pick) as telephone:
            body = {
                "to": telephone_number(telephone.port),
                "agent": {**scenario.agent, **wanted.agent},
                "overrides": None if stubs is None else stubs.agent,
            }
            placed = await self.client.create_call(body)
            if not await telephone.rung(_RINGS_S):
                call = await self.client.get_call(placed.id)
                return _unreached(wanted, placed.id, call.status)
            if stubs is not None:
                stubs.recogniser.words = lambda start, end: caller.words_between(
                    start - telephone.began_at, end - telephone.began_at
                )
            wall = time.time()
            pressing = asyncio.create_task(self._press(caller, telephone.port))
            try:
                await telephone.talk(caller, _LONGEST_S)
            finally:
                pressing.cancel()
            await self._hang_up(telephone.port)
            status = await self._over(placed.id)
        turns = await self.store.calls.turns(placed.id)
        return CallTrace(
            wanted.name,
            placed.id,
            status,
            caller.agent.whole,
            caller.person.whole,
            caller.line.whole,
            caller.spoken,
            caller.unplaced,
            [Decision(at - wall, name) for at, name in decisions.get(placed.id, ())],
            [_heard(turn, wall) for turn in turns],
            None if stubs is None else float(WORD_MS),
        )

    async def _press(self, caller: Caller, port: int) -> None:
        """Press the keys that the caller wants pressed."""
        while True:
            await asyncio.sleep(0.05)
            keys, caller.keys = caller.keys, None
            if keys and (channel := await self._channel("PJSIP/customer", port)):
                await self.carrier.cli(f"channel redirect {channel} telephones,{keys},1")

    async def _hang_up(self, port: int) -> None:
        """Put the telephone down, unless the call is over."""
        if channel := await self._channel("UnicastRTP/", port):
            await self.carrier.cli(f"channel request hangup {channel}")

    async def _channel(self, technology: str, port: int) -> str | None:
        """The carrier's channel of a telephone."""
        number, leg = telephone_number(port), f":{port}-"
        for one in await self.carrier.channels():
            if one.name.startswith(technology) and (leg in one.name or one.extension == number):
                return one.name
        return None

    async def _over(self, call_id: str) -> str:
        """How the call ended."""
        deadline = time.monotonic() + _OVER_S
        while True:
            status = (await self.client.get_call(call_id)).status
            if status in TERMINAL or time.monotonic() > deadline:
                return status
            await asyncio.sleep(0.1)


def _unreached(wanted: Wanted, call_id: str, status: str) -> CallTrace:
    """Of a call that did not get to its telephone."""
    nothing = np.zeros(0, dtype=np.int16)
    return CallTrace(wanted.name, call_id, f"not reached: {status}", nothing, nothing, nothing, ())


def _heard(turn: Turn, wall: float) -> HeardTurn:
    span = Span(turn.started_at - wall, turn.ended_at - wall)
    return HeardTurn(turn.speaker, turn.text, span, turn.interrupted, turn.timings.get("wire_ms"))


@contextlib.contextmanager
def _overheard() -> Iterator[dict[str, list[tuple[float, str]]]]:
    """Gives what conversations decide, by call, as it happens: Unix seconds and names."""
    decisions: dict[str, list[tuple[float, str]]] = {}

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if isinstance(record.args, tuple):
                call_id, name = map(str, record.args)
                decisions.setdefault(call_id, []).append((record.created, name))

    logger, ear = logging.getLogger(_DECISIONS), Ear()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(ear)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield decisions
    finally:
        logger.removeHandler(ear)
        logger.setLevel(level)
        logger.propagate = propagate
