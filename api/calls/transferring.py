"""Carries out the transfers of one answered attempt."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from api.agents.identity import Identity
from api.base.refusals import Conflict, Refused
from api.calls.dial_plan import planned
from api.orders.transfers import order_transfer
from api.resources.call import Call
from api.resources.transfer import Transfer, TransferWish, leg_id
from api.settings.calling import Calls
from api.store import Store, StoreError
from api.store.ledger_writer import LedgerWriter
from pbx.audio_router import AudioRouter, Quiet
from pbx.switch import LIMIT_MARGIN_S, Attempt, Cause, Dial, Switch, SwitchError, SwitchRefused
from pbx.transfer import Briefing, Ringback, bridge
from voice_loop.briefing import Recital, Said, compose, speak
from voice_loop.config import ConversationConfig
from voice_loop.playout import MAX_SPEECH_SECONDS, Speech
from voice_loop.ports import EngineError, Engines

log = logging.getLogger(__name__)

#: The PBX told of the transfer; who carries it out is told so at the same time.
_SETTLE_S: Final = 5.0
_REASONS: Final = {
    "busy": "the line was busy",
    "no_answer": "nobody answered",
    "completed": "they hung up before they were put through",
    "canceled": "the call to them was ended",
}


class Transferring:
    """One attempt's transfers, one after the other."""

    def __init__(
        self,
        call: Call,
        channel_id: str,
        attempt: Attempt,
        desk: AudioRouter,
        *,
        store: Store,
        said: Sequence[Said],
        scribe: LedgerWriter,
        switch: Switch,
        engines: Engines,
        conversation: ConversationConfig,
        ring_timeout_s: int,
        calls: Calls,
        identity: Identity,
        on_failed: Callable[[str], None],
    ) -> None:
        """
        Args:
            call: whose person is on the line.
            channel_id: of the attempt.
            attempt: answered.
            desk: has the person's audio.
            store: knows of each transfer.
            said: what was said until now.
            scribe: writes down how they go.
            switch: the PBX.
            engines: speak the briefings.
            conversation: in whose language and voice.
            ring_timeout_s: how long to let it ring.
            calls: where they may go, and for how long.
            identity: how the call shows itself to whom it goes.
            on_failed: told why a transfer that the agent did not ask for came to nothing.
        """
        self._call = call
        self._channel_id = channel_id
        self._attempt = attempt
        self._desk = desk
        self._store = store
        self._said = said
        self._scribe = scribe
        self._switch = switch
        self._engines = engines
        self._conversation = conversation
        self._ring_timeout_s = ring_timeout_s
        self._calls = calls
        self._identity = identity
        self._on_failed = on_failed
        self._task: asyncio.Task[str | None] | None = None
        self._last = 0
        self._closed = False
        self.asked_by_agent = False
        """Whether the latest one was the agent's."""

    async def ask(self, wish: TransferWish) -> str | None:
        """The agent wants to hand the person over.

        Returns None when it is done, else why it came to nothing.

        Raises Refused, StoreError.
        """
        if self._closed:
            raise Conflict("not_in_progress", "the call is over")
        if self._under_way:
            raise Conflict("transfer_under_way", "a transfer is under way already")
        self.asked_by_agent = True
        return await asyncio.shield(self._start(self._order(wish)))

    def take_up(self, transfer: Transfer) -> None:
        """Carry out what the ledger has noted, unless that is done or under way already, or the
        call is over: the ledger may note it after that."""
        if self._closed or self._under_way:
            return
        if transfer.status == "dialing" and transfer.seq > self._last:
            self.asked_by_agent = False
            self._start(self._noted(transfer))

    async def settled(self) -> None:
        """Return when what was under way is over, or soon."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_SETTLE_S)

    async def close(self) -> None:
        """Give up what is under way, and begin nothing more: the call is over."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def _under_way(self) -> bool:
        return self._task is not None and not self._task.done()

    def _start(self, work: Coroutine[Any, Any, str | None]) -> asyncio.Task[str | None]:
        self._task = asyncio.create_task(work)
        return self._task

    async def _order(self, wish: TransferWish) -> str | None:
        ordered = await order_transfer(self._store, self._calls, self._call, wish)
        return await self._carry_out(ordered)

    async def _noted(self, transfer: Transfer) -> str | None:
        reason = await self._carry_out(transfer)
        if reason is not None:
            self._on_failed(reason)
        return reason

    async def _carry_out(self, transfer: Transfer) -> str | None:
        self._last = transfer.seq
        try:
            reason = await self._hand_over(transfer)
        except (SwitchError, EngineError, StoreError, Refused) as error:
            reason = str(error)
        except Exception:
            log.exception("call %s: a transfer failed", self._call.id)
            reason = "internal error; the log tells more"
        if reason is not None:
            log.warning("call %s: not transferred: %s", self._call.id, reason)
            failed = partial(self._store.transfers.failed, self._call.id, time.time(), reason)
            self._scribe.note(failed)
        return reason

    async def _hand_over(self, transfer: Transfer) -> str | None:
        """None once it is done; else why the other one cannot be had."""
        if transfer.method == "refer":
            self._desk.attach(Quiet())
            try:
                dial = await self._dial(transfer)
                await self._attempt.refer(dial.number)
                return None
            except SwitchRefused as error:
                if not transfer.falls_back:
                    raise
                log.info("call %s: no REFER, bridging: %s", self._call.id, error)
            finally:
                self._desk.attach(None)
            transfer = await self._store.transfers.fall_back(self._call.id)
        cause = await self._bridge(transfer)
        return None if cause is None else _REASONS.get(cause.state, cause.message)

    async def _dial(self, transfer: Transfer) -> Dial:
        dial = Dial(
            id=leg_id(self._channel_id, transfer.seq),
            number=transfer.number,
            caller_number=transfer.caller_number,
            caller_name=self._identity.name,
            hide_number=self._identity.hidden,
            headers=self._identity.headers,
            account=self._identity.account,
            # A call that came to us goes on to somebody else: their network may want to know.
            forwarded_from=transfer.caller_number if self._call.direction == "inbound" else None,
            ring_timeout_s=self._ring_timeout_s,
            trunk=transfer.trunk,
            limit_s=self._calls.max_transferred_s + LIMIT_MARGIN_S,
        )
        return await planned(self._store, self._call.id, dial)

    async def _bridge(self, transfer: Transfer) -> Cause | None:
        dial = await self._dial(transfer)
        if transfer.mode == "cold":
            return await bridge(self._switch, self._attempt, dial, attach=self._desk.attach)
        composing = asyncio.create_task(self._compose(transfer))
        try:

            async def tell(other: Attempt) -> None:
                up = partial(self._store.transfers.answered, self._call.id, time.time())
                self._scribe.note(up)
                volume = self._conversation.ambience.voice_volume
                recital = Recital(await composing, self._attempt.rate, volume)
                other.attach(recital)
                try:
                    await recital.said(MAX_SPEECH_SECONDS + _SETTLE_S)
                except TimeoutError:
                    raise EngineError("nobody took the briefing's audio") from None
                finally:
                    other.attach(None)

            briefing = Briefing(tell, Ringback(self._attempt.rate))
            return await bridge(
                self._switch, self._attempt, dial, attach=self._desk.attach, briefing=briefing
            )
        finally:
            composing.cancel()
            await asyncio.gather(composing, return_exceptions=True)

    async def _compose(self, transfer: Transfer) -> Speech:
        """The briefing, as audio; made while it rings."""
        language = self._conversation.language
        text = await compose(self._engines.llm, self._said, transfer.summary_instructions, language)
        return await speak(
            text, self._engines, self._attempt.rate, self._conversation.speed, language
        )
