"""Transfers on FreeSWITCH: a REFER to the far end, or two channels bridged."""

import asyncio
import contextlib
import time
from typing import Final

from pbx.attempt import LiveAttempt
from pbx.dial_string import is_uri
from pbx.freeswitch.attempt import FreeSwitchCore
from pbx.freeswitch.link import EslLink
from pbx.live_attempts import LiveAttempts
from pbx.switch import SwitchError, SwitchRefused

#: Channel variable of a call that is no more ours: people are talking.
TRANSFERRED: Final = "offhook_transferred"
#: Seconds for the second of two joined calls to end when the first did before the bridge.
_JOIN_S: Final = 3.0
#: Seconds for the far end to answer a REFER, to tell more once it has agreed, to ring the target.
_REFER_S: Final = 10.0
_REFER_SILENCE_S: Final = 3.0
_REFER_RING_S: Final = 60.0
_REFER_LOOK_S: Final = 0.1
_REFER_RESULTS: Final = (
    "sip_refer_status_code",
    "sip_refer_target_provisional_status_code",
    "sip_refer_target_status_code",
)

LiveCall = LiveAttempt[FreeSwitchCore]


class FreeSwitchTransfers:
    """The transfers of one switch.

    Args:
        link: to FreeSWITCH.
        attempts: background work goes there.
    """

    def __init__(self, link: EslLink, attempts: LiveAttempts[FreeSwitchCore]) -> None:
        self._link = link
        self._attempts = attempts

    async def refer(self, attempt: LiveCall, number: str, host: str) -> None:
        """Have the far end call `number` at `host` (and port), or a SIP URI, instead of us."""
        target = number if is_uri(number) else f"sip:{number}@{host}"
        # Without it FreeSWITCH hangs up whatever the far end answers.
        await self._set(attempt.id, "sip_refer_continue_after_reply", "true")
        for name in _REFER_RESULTS:
            await self._set(attempt.id, name, "")
        attempt.core.referring(True)
        try:
            await self._link.api("uuid_deflect", f"{attempt.id} {target}")
            await self._await_refer(attempt)
        finally:
            attempt.core.referring(False)
        attempt.core.referred(time.monotonic())
        attempt.pump()

    async def join(self, attempt: LiveCall, other: LiveCall) -> None:
        """Connect the far ends of two answered attempts to one another."""
        for one in (attempt, other):
            await self._set(one.id, "hangup_after_bridge", "true")
            await self._set(one.id, TRANSFERRED, "true")
        try:
            await self._link.api("uuid_bridge", f"{attempt.id} {other.id}")
        except SwitchError:
            for one in (attempt, other):
                with contextlib.suppress(SwitchError):
                    await self._set(one.id, TRANSFERRED, "")
            raise
        for one in (attempt, other):
            one.core.joined(time.monotonic())
            one.pump()
        self._attempts.spawn(self._see_joined(attempt, other))

    async def _see_joined(self, attempt: LiveCall, other: LiveCall) -> None:
        """Hang up who is left alone: where one ends before the bridge, the other waits for ever.

        `uuid_bridge` has said +OK by then. Once they are bridged, `hangup_after_bridge` holds.
        """
        ends = [asyncio.create_task(one.finished.wait()) for one in (attempt, other)]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not (attempt.core.bridged or other.core.bridged):
                await asyncio.wait(ends, timeout=_JOIN_S)
                await asyncio.gather(attempt.hang_up(), other.hang_up())
        finally:
            for end in ends:
                end.cancel()

    async def _await_refer(self, attempt: LiveCall) -> None:
        """Wait until the far end has agreed to a REFER. Raises SwitchRefused if it does not.

        RFC 3515: the response to the REFER comes first, then NOTIFYs tell how the new call fares.
        Who agrees and then says nothing has agreed; where the new call rings, its end is awaited.
        """
        status = None
        agreed_at = now = time.monotonic()
        deadline = now + _REFER_S
        while attempt.core.answered and now < deadline:
            status, ringing, outcome = await asyncio.gather(
                *(self._variable(attempt.id, name) for name in _REFER_RESULTS)
            )
            if (status or 0) >= 300:
                raise SwitchRefused(f"the far end refused the transfer (SIP {status})", "transfer")
            if (outcome or 0) >= 300:
                # With the last NOTIFY FreeSWITCH (to 1.11 at least) hangs up without a word to
                # its own channel, which would linger.
                await attempt.hang_up()
                raise SwitchRefused(
                    f"the far end agreed, but the call that it made failed (SIP {outcome}); "
                    "FreeSWITCH has hung up ours with it",
                    "transfer",
                )
            if outcome is not None:
                return
            if status is None:
                agreed_at = now
            elif (ringing or 0) >= 180:
                deadline = max(deadline, agreed_at + _REFER_RING_S)
            elif now - agreed_at > _REFER_SILENCE_S:
                return
            await asyncio.sleep(_REFER_LOOK_S)
            now = time.monotonic()
        if attempt.core.answered and status is None:
            raise SwitchRefused("the far end did not answer the REFER", "transfer")

    async def _variable(self, channel_id: str, name: str) -> int | None:
        text = await self._link.job("uuid_getvar", f"{channel_id} {name}")
        return int(text) if text.isascii() and text.isdigit() else None

    async def _set(self, channel_id: str, name: str, value: str) -> None:
        await self._link.api("uuid_setvar", f"{channel_id} {name} {value}".rstrip())
