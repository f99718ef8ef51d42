"""Whether the engines work that calls are held with.

One that is known not to is tried until it is back, ever more seldom; meanwhile no call is placed
that needs it. Of one on another machine it is asked whether it is there, before the first call and
again while calls are placed. One in which a call has failed, ours too, has to do what is asked of
it.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from api.resources.call import Call, NewCall
from api.store import StoreError
from models.registry import Part
from voice_loop.ports import EngineError

#: Seconds for which an engine on another machine is trusted once it has answered.
FRESH_S: Final = 30.0
#: Seconds that one trial may take.
_TRIAL_S: Final = 10.0
#: Seconds between the trials of one that does not work. After the last it is tried again when a
#: call asks for it, or somebody asks how the server is.
_PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0, *[30.0] * 10)
#: Engines that are remembered; agents may bring any number along.
_MOST: Final = 256

log = logging.getLogger(__name__)


@dataclass
class _State:
    part: Part
    good_until: float
    """`time.monotonic()` seconds."""
    doubted: bool = False
    """A call has failed: that it is there does not do."""
    problem: str | None = None
    """What is wrong with it, as far as is known."""
    trial: asyncio.Task[None] | None = None

    @property
    def good(self) -> bool:
        return self.good_until > monotonic()

    @property
    def tried(self) -> bool:
        """Whether it is being tried."""
        return self.trial is not None and not self.trial.done()


class EngineWatch:
    """Knows which engines work. It is made on an event loop, and may be asked from any thread:
    claims are made on the store's."""

    def __init__(
        self,
        parts: Callable[[Call | NewCall], Sequence[Part]],
        remote: Sequence[Part],
        back: Callable[[], Awaitable[None]],
    ) -> None:
        """
        Args:
            parts: the engines of a call; raises EngineError.
            remote: all configured ones on other machines.
            back: called when one works again that calls may wait for; raises StoreError.
        """
        self._parts = parts
        self._remote = remote
        self._back = back
        self._loop = asyncio.get_running_loop()
        self._states: dict[Hashable, _State] = {}
        self._closed = False

    def look(self) -> list[str]:
        """What is known to be wrong with the deployment's own; tries what was not of late."""
        for part in self._remote:
            self._state(part)
        states = list(self._states.values())
        return self._problems(one for one in states if one.part.place != "agent")

    def hinders(self, call: Call) -> bool:
        """Whether a call would have to be held with an engine that does not work, or of which that
        is not known: it is being tried then."""
        brought = (call.agent.get("llm") or {}).get("api_url")
        if not self._remote and not self._states and brought is None:
            return False
        return not all(state.good for state in self._states_of(call))

    def problem(self, call: NewCall) -> str | None:
        """Why a call cannot be held, as far as is known; None if it can."""
        return "; ".join(self._problems(self._states_of(call))) or None

    def doubt(self, call: Call) -> None:
        """A call failed for want of an engine: each of its engines has to prove itself."""
        for state in self._states_of(call):
            state.good_until, state.doubted = -math.inf, True
            self._try(state)

    async def close(self) -> None:
        """Try nothing any more."""
        self._closed = True
        trials = [state.trial for state in self._states.values() if state.trial is not None]
        for trial in trials:
            trial.cancel()
        await asyncio.gather(*trials, return_exceptions=True)

    @staticmethod
    def _problems(states: Iterable[_State]) -> list[str]:
        return [state.problem for state in states if state.problem is not None]

    def _states_of(self, call: Call | NewCall) -> list[_State]:
        try:
            return [self._state(part) for part in self._parts(call)]
        except EngineError:
            return []  # the attempt tells what is wrong

    def _state(self, part: Part) -> _State:
        """How an engine is. One whose trust runs out is tried before it has."""
        state = self._states.get(part.key)
        if state is None:
            self._forget()
            state = _State(part, math.inf if part.place == "local" else -math.inf)
            self._states[part.key] = state
        if state.good_until - monotonic() < FRESH_S / 2:
            self._try(state)
        return state

    def _forget(self) -> None:
        for key, state in list(self._states.items()):
            if len(self._states) >= _MOST and not state.tried:
                del self._states[key]

    def _try(self, state: _State) -> None:
        self._loop.call_soon_threadsafe(self._begin_trial, state)

    def _begin_trial(self, state: _State) -> None:
        if not state.tried and not self._closed:
            state.trial = asyncio.create_task(self._until_good(state))

    async def _until_good(self, state: _State) -> None:
        for pause_s in _PAUSES_S:
            problem = await self._wrong_with(state)
            if problem is None:
                await self._works(state)
                return
            if state.problem is None:
                log.error("no calls are placed that need it: %s", problem)
            state.good_until, state.problem = -math.inf, problem
            await asyncio.sleep(pause_s)

    async def _works(self, state: _State) -> None:
        awaited = not state.good
        if state.problem is not None:
            log.warning("the %s works again", state.part.called)
        state.problem, state.doubted = None, False
        local = state.part.place == "local"
        state.good_until = math.inf if local else monotonic() + FRESH_S
        if awaited:
            try:
                await self._back()
            except StoreError as error:
                log.error("calls that wait for an engine wait a while longer: %s", error)

    @staticmethod
    async def _wrong_with(state: _State) -> str | None:
        part = state.part
        try:
            async with asyncio.timeout(_TRIAL_S):
                await (part.try_out if state.doubted else part.reach)()
        except TimeoutError:
            return f"the {part.called} gave nothing for {_TRIAL_S:g} s"
        except EngineError as error:
            return f"the {part.called} does not work: {error}"
        except Exception as error:
            log.exception("the %s could not be tried", part.called)
            return f"the {part.called} does not work: {type(error).__name__}"
        return None
