"""The PBX with the network behind it: what becomes of each call is drawn, and all is written down.

Its book is the truth that the ledger is compared with: it is kept by who was dialled, not by who
dialled.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from api.base.lifecycle import AnsweredBy
from pbx.switch import Cause
from tests.api.dialing.simulation.agenda import Agenda

Fate = Literal["human", "machine", "no_answer", "busy", "failed", "unallocated", "unwanted", "lost"]
_ODDS: Final[dict[Fate, int]] = {
    "human": 20,
    "machine": 14,
    "no_answer": 37,
    "busy": 18,
    "failed": 6,
    "unallocated": 2,
    "unwanted": 1,
    "lost": 2,
}
CAUSES: Final[dict[Fate, Cause]] = {
    "human": Cause("completed", "normal_clearing", "The call ended normally.", 16, 200),
    "machine": Cause("no_answer", "normal_clearing", "A voicemail answered.", 16, 200),
    "no_answer": Cause("no_answer", "no_answer", "Nobody answered.", 19, 480),
    "busy": Cause("busy", "user_busy", "The line was busy.", 17, 486),
    "failed": Cause("failed", "no_circuit", "The network is full.", 34, 503),
    "unallocated": Cause("failed", "unallocated_number", "There is no such number.", 1, 404),
    "unwanted": Cause("failed", "call_rejected", "The callee wants no calls.", 21, 607),
    "lost": Cause("failed", "pbx_lost_call", "The PBX lost the call."),
}
CANCELED: Final = Cause("canceled", "originator_cancel", "The call was canceled.", None, 487)
_ANSWERED_BY: Final[dict[Fate, AnsweredBy]] = {"human": "human", "machine": "machine"}


@dataclass
class Dialled:
    """A call as the network saw it."""

    channel_id: str
    call_id: str
    number: str
    trunk: str | None
    key: str | None
    at: float
    fate: Fate
    answered_at: float | None = None
    ended_at: float | None = None
    forgotten: bool = False
    """Whoever dialled never learnt how it ended."""


@dataclass(frozen=True)
class Told:
    """The end of a call, as the PBX tells it."""

    cause: Cause
    answered_by: AnsweredBy | None
    unknown: bool


News = Literal["ringing", "answered", "ended"]
Listener = Callable[[str, News, Told | None], Awaitable[None]]


class Carrier:
    """Rings, answers and hangs up by itself, whether or not anybody listens."""

    def __init__(self, agenda: Agenda, rng: random.Random) -> None:
        self._agenda = agenda
        self._rng = rng
        self._listener: Listener | None = None
        self.book: list[Dialled] = []
        self._live: dict[str, Dialled] = {}

    def listen(self, listener: Listener | None) -> None:
        """Tell the news to nobody else from now on."""
        self._listener = listener

    def dial(
        self, channel_id: str, call_id: str, number: str, trunk: str | None, key: str | None
    ) -> None:
        rng, now = self._rng, self._agenda.now
        fate = rng.choices(list(_ODDS), list(_ODDS.values()))[0]
        dialled = Dialled(channel_id, call_id, number, trunk, key, now, fate)
        self.book.append(dialled)
        self._live[channel_id] = dialled
        at = now + rng.uniform(0.5, 3)
        if fate in {"human", "machine", "no_answer"}:
            self._agenda.add(at, partial(self._tell, dialled, "ringing"))
            at += rng.uniform(2, 15) if fate != "no_answer" else 30
        if fate in {"human", "machine"}:
            self._agenda.add(at, partial(self._answer, dialled))
            # One in five hangs up at once.
            at += rng.uniform(0.2, 2) if rng.random() < 0.2 else rng.uniform(8, 120)
        self._agenda.add(at, partial(self._end, dialled, CAUSES[fate]))

    def living(self) -> list[str]:
        return list(self._live)

    def hang_up(self, channel_id: str) -> None:
        """Have it ended soon, as a PBX does."""
        if dialled := self._live.get(channel_id):
            cause = CANCELED if dialled.answered_at is None else CAUSES["human"]
            self._agenda.add(self._agenda.now, partial(self._end, dialled, cause))

    def hang_up_now(self, channel_id: str) -> None:
        """End it, and tell nobody."""
        dialled = self._live.pop(channel_id)
        dialled.ended_at = self._agenda.now
        dialled.forgotten = True

    async def _answer(self, dialled: Dialled) -> None:
        if dialled.ended_at is None:
            dialled.answered_at = self._agenda.now
            await self._tell(dialled, "answered")

    async def _end(self, dialled: Dialled, cause: Cause) -> None:
        if dialled.ended_at is not None:
            return
        dialled.ended_at = self._agenda.now
        del self._live[dialled.channel_id]
        answered_by = None if dialled.answered_at is None else _ANSWERED_BY[dialled.fate]
        unknown = cause is CAUSES["lost"]
        # Only who dialled can learn how it ended.
        dialled.forgotten = unknown or self._listener is None
        await self._tell(dialled, "ended", Told(cause, answered_by, unknown))

    async def _tell(
        self,
        dialled: Dialled,
        news: News,
        told: Told | None = None,
    ) -> None:
        if self._listener is not None and (dialled.ended_at is None or news == "ended"):
            await self._listener(dialled.channel_id, news, told)
