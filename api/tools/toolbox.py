"""The tools of a call: those that its configuration names, bound to it, and no others."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from api.base.text import render
from api.calendars.opening import CalendarAccess
from api.egress.guarded_http import tools_client
from api.egress.sealing import Seal
from api.messaging.ways import WaysOut
from api.resources.call import Call
from api.resources.call_facts import callee_zone, values_of
from api.resources.caller_ids import not_texted
from api.resources.masking import frozen_config
from api.resources.tool_fields import (
    CalendarTool,
    DigitsTool,
    EmailTool,
    HttpTool,
    PauseRecordingTool,
    SkipTurnTool,
    SmsTool,
    ToolField,
    TransferTool,
)
from api.settings import Settings
from api.store import Store
from api.tools.calendar import BookSlot, CalendarOfCall, FindFreeSlots
from api.tools.http import HttpRequest
from api.tools.messaging import SendEmail, SendSms
from api.tools.recording import PauseRecording, SwitchRecording
from api.tools.transfer import HandOver, TransferCall
from voice_loop.built_in import SendDigits, SkipTurn
from voice_loop.ports import Line
from voice_loop.tools import Tool

#: Names looked up at one time for all calls.
_LOOKUPS: Final = 16


class Toolbox:
    """Makes tools, for the time of an `async with`."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        seal: Seal,
        ways: WaysOut,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            settings: where tools may go, and by what.
            store: where secrets are, and messages are put down.
            seal: what opens secrets.
            ways: by which messages leave.
            clock: Unix seconds.
        """
        self._settings = settings
        self._store = store
        self._seal = seal
        self._ways = ways
        self._clock = clock
        self._client = tools_client(settings.tools, _LOOKUPS)
        self._calendars = CalendarAccess(self._client, seal)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._calendars.aclose()
        await self._client.aclose()

    def tools_for(
        self,
        call: Call,
        line: Line,
        hand_over: HandOver | None = None,
        pause_recording: PauseRecording | None = None,
    ) -> tuple[Tool, ...]:
        """What the agent can do on this call.

        Args:
            call: whose configuration names them.
            line: its attempt.
            hand_over: transfers its person; None where that cannot be done.
            pause_recording: of its attempt; None where that cannot be done.

        Raises SealError and UnknownVariableError.
        """
        config = frozen_config(call.agent, self._seal)
        default_zone = self._settings.calls.default_timezone
        zone = callee_zone(call, default_zone)
        values = values_of(call, self._clock(), default_zone)

        def now() -> datetime:
            return datetime.fromtimestamp(self._clock(), zone)

        return tuple(
            made
            for tool in config.tools or ()
            for made in self._made(
                tool, call, line, values, now, hand_over=hand_over, pause=pause_recording
            )
        )

    def _made(
        self,
        tool: ToolField,
        call: Call,
        line: Line,
        values: Mapping[str, Any],
        now: Callable[[], datetime],
        *,
        hand_over: HandOver | None,
        pause: PauseRecording | None,
    ) -> Iterator[Tool]:
        match tool:
            case HttpTool():
                yield HttpRequest(
                    tool,
                    call_id=call.id,
                    values=values,
                    now=now,
                    say=None if tool.say is None else render(tool.say, values),
                    client=self._client,
                    secrets=self._secrets,
                    traced=self._settings.traces.url is not None,
                )
            case SmsTool() if self._ways.sms is not None:
                yield SendSms(
                    tool,
                    call,
                    values,
                    self._store,
                    gateway=self._ways.sms,
                    from_number=self._ways.from_number,
                    refusal=not_texted(call, self._settings.calls),
                )
            case EmailTool() if self._ways.mail is not None:
                yield SendEmail(tool, call, values, self._store, server=self._ways.mail)
            case TransferTool() if hand_over is not None:
                yield TransferCall(tool, values, hand_over)
            case CalendarTool():
                calendar = CalendarOfCall(
                    tool, call.id, values, now, store=self._store, access=self._calendars
                )
                yield FindFreeSlots(calendar)
                if tool.book:
                    yield BookSlot(calendar)
            case DigitsTool():
                yield SendDigits(line)
            case SkipTurnTool():
                yield SkipTurn()
            case PauseRecordingTool() if pause is not None:
                yield SwitchRecording(True, pause)
                yield SwitchRecording(False, pause)

    async def _secrets(self, names: Collection[str]) -> dict[str, str]:
        sealed = await self._store.secrets.sealed(names)
        return {name: self._seal.open(text) for name, text in sealed.items()}
