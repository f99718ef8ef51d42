"""Calls in the laboratory: each with a caller, a telephone and the product's own server between."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.base.lifecycle import TERMINAL
from api.calls.engines import Brought
from api.client import OffhookClient, OffhookError
from api.lab.caller import Pressed, Said
from api.lab.clock import AudioClock, Decided
from api.lab.exchange import Exchange, Kept, Order, Over, PickedUp, Ready
from api.lab.library import Library
from api.lab.scenario import Scenario
from api.lab.stub_engines import LETTER_MS, StubLanguageModel, StubRecogniser, StubVoice
from api.lab.trace import CallTrace, Decision
from api.store import Store
from models.load import LoadedEngines
from models.registry import Named
from pbx.codecs import Codec
from pbx.testbed import Asterisk, telephone_number
from voice_loop.audio import Samples

#: How long a call may take to be over.
_OVER_S: Final = 30.0
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
    _console: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

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
        async with Exchange() as exchange:
            with _overheard() as decisions:

                async def one(index: int) -> _Made:
                    async with room:
                        stub = stubs[index] if stubs else None
                        made = await self._call(exchange, index, wanted[index], stub)
                    say(f"{wanted[index].name}: {made.status}")
                    return made

                tasks = [asyncio.create_task(one(index)) for index in range(len(wanted))]
                try:
                    calls = await asyncio.gather(*tasks)
                finally:
                    for task in tasks:
                        task.cancel()
            # Their audio comes when there is no call left that it could disturb.
            return [
                await self._trace(
                    wanted[index], made, await exchange.fetch(index), decisions, bool(stubs)
                )
                for index, made in enumerate(calls)
            ]

    async def _call(
        self, exchange: Exchange, index: int, wanted: Wanted, stubs: StubSet | None
    ) -> "_Made":
        order = Order(index, wanted.scenario, self.library, wanted.pick, self.codec.asterisk_format)
        inbox = exchange.order(order)
        ready = await inbox.get()
        if not isinstance(ready, Ready):
            raise OffhookError("the process of the telephones has ended")
        agent = {**wanted.scenario.agent, **wanted.agent}
        overrides = None if stubs is None else stubs.agent
        body = {"to": telephone_number(ready.port), "agent": agent, "overrides": overrides}
        placed = await self.client.create_call(body)
        wall = 0.0
        while True:
            match await inbox.get():
                case PickedUp(at):
                    wall = time.time() - (time.monotonic() - at)
                case Said(words):
                    if stubs is not None:
                        stubs.recogniser.said += words
                case Pressed(keys):
                    await self._press(keys, ready.port)
                case Over(reached):
                    break
        if not reached:
            status = (await self.client.get_call(placed.id)).status
            return _Made(placed.id, f"not reached: {status}", wall)
        await self._hang_up(ready.port)
        return _Made(placed.id, await self._over(placed.id), wall)

    async def _trace(
        self,
        wanted: Wanted,
        made: "_Made",
        kept: Kept,
        decisions: Mapping[str, Sequence[Decided]],
        stubbed: bool,
    ) -> CallTrace:
        decided = decisions.get(made.call_id, ())
        answered = (await self.store.calls.get(made.call_id)).answered_at or made.wall
        clock = AudioClock(decided, answered, made.wall)
        turns = await self.store.calls.turns(made.call_id)
        return CallTrace(
            wanted.name,
            made.call_id,
            made.status,
            kept.agent,
            kept.person,
            kept.line,
            kept.spoken,
            kept.unplaced,
            [Decision(one.at - made.wall, one.name) for one in decided],
            [clock.turn(one) for one in turns],
            float(LETTER_MS) if stubbed else None,
        )

    async def _press(self, keys: str, port: int) -> None:
        """Press keys; the line is quiet meanwhile."""
        command = f"channel redirect {{}} telephones,{keys},1"
        await self._tell_carrier("PJSIP/customer", port, command)

    async def _hang_up(self, port: int) -> None:
        """Put the telephone down, unless the call is over."""
        await self._tell_carrier("UnicastRTP/", port, "channel request hangup {}")

    async def _tell_carrier(self, technology: str, port: int, command: str) -> None:
        """Give the carrier's console a command with a telephone's channel, if it is there.

        Few at a time: each starts a process, and many calls may end at once.
        """
        async with self._console:
            if channel := await self._channel(technology, port):
                await self.carrier.cli(command.format(channel))

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


@dataclass(frozen=True)
class _Made:
    """A call that is over."""

    call_id: str
    status: str
    wall: float
    """When its caller began, Unix seconds."""


@contextlib.contextmanager
def _overheard() -> Iterator[dict[str, list[Decided]]]:
    """Gives what conversations decide, by call, as it happens."""
    decisions: dict[str, list[Decided]] = {}

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            match record.args:
                case (str(call_id), int(frame), str(name)):
                    decided = Decided(record.created, frame, name)
                    decisions.setdefault(call_id, []).append(decided)

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
