"""Transfers on Asterisk: a REFER to the far end, or the far ends of two attempts bridged.

AMI's `Bridge` moves two far legs into one bridge; their media legs end, and the two channels get
one Linkedid, so that from then on events belong to an attempt by their Uniqueid.

A REFER can only be sent from the dialplan: the far leg is redirected to the context
`offhook-refer` of the shipped extensions.conf, which runs Transfer() and dials our audio again
when that was refused.
"""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any, Final

from pbx.asterisk.attempt import AsteriskCore
from pbx.asterisk.link import AmiLink
from pbx.asterisk.outputs import ReferAnswered
from pbx.asterisk.trunk import dialplan_has, look_at_trunk
from pbx.attempt import LiveAttempt
from pbx.dial_string import is_uri
from pbx.live_attempts import LiveAttempts
from pbx.switch import SwitchError, SwitchRefused, SwitchUnavailable

CONTEXT: Final = "offhook-refer"
_CHANNEL: Final = re.compile(r"PJSIP/(.+)-[0-9a-f]+")
_SIP_URI: Final = re.compile(
    r"sips?:(?:[^@]*@)?(?P<host>[0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]+)?(?:[;?].*)?"
)

LiveCall = LiveAttempt[AsteriskCore]


def refer_to(number: str, contact: str) -> str | None:
    """The SIP URI of `number` at the host of a trunk's contact; None when that is no SIP URI."""
    uri, user = _SIP_URI.fullmatch(contact), number.replace("#", "%23")
    return None if uri is None else f"sip:{user}@{uri['host']}{uri['port'] or ''}"


class AsteriskTransfers:
    """The transfers of one switch.

    Args:
        link: to Asterisk.
        attempts: background work goes there.
        audio: the dial string of our audio of a call.
        look: called when it is not known what became of a transfer: to compare with the PBX.
    """

    def __init__(
        self,
        link: AmiLink,
        attempts: LiveAttempts[AsteriskCore],
        audio: Callable[[LiveCall], str],
        look: Callable[[], None],
    ) -> None:
        self._link = link
        self._attempts = attempts
        self._audio = audio
        self._look = look
        self._partners: dict[str, LiveCall] = {}
        self._referring: dict[str, asyncio.Future[ReferAnswered | None]] = {}

    async def refer(self, attempt: LiveCall, number: str) -> None:
        """As `pbx.switch.Attempt.refer`; the number is checked."""
        far = attempt.core.far_channel or ""
        target = number if is_uri(number) else await self._refer_to(far, number)
        if not await dialplan_has(self._link, CONTEXT):
            raise SwitchRefused(
                f"Asterisk's dialplan has no context {CONTEXT}: take it from Offhook's "
                "extensions.conf",
                "transfer",
            )
        for name, value in (("OFFHOOK_REFER_TO", target), ("OFFHOOK_AUDIO", self._audio(attempt))):
            await self._link.act("Setvar", {"Channel": far, "Variable": name, "Value": value})
        if not attempt.core.answered:
            raise SwitchRefused("the call is over, or being transferred already", "transfer")
        answer: asyncio.Future[ReferAnswered | None] = asyncio.get_running_loop().create_future()
        self._referring[attempt.id] = answer
        attempt.core.begin_refer(time.monotonic())
        attempt.pump()
        # In a task of its own: nobody may give up half-way, whether the far leg moved or not.
        self._attempts.spawn(self._redirect(attempt, far, answer))
        try:
            outcome = await answer
        finally:
            self._referring.pop(attempt.id, None)
        if outcome is None:
            raise SwitchRefused("the call ended before the far end answered the REFER", "transfer")
        if not outcome.agreed:
            reason = f" (SIP {outcome.sip_code})" if outcome.sip_code is not None else ""
            raise SwitchRefused(f"the far end refused to call {number}{reason}", "transfer")

    async def join(self, attempt: LiveCall, other: LiveCall) -> None:
        """As `pbx.switch.Attempt.join`; both are answered."""
        # In a task of its own, as above.
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        both = (attempt, other)
        for one in both:
            one.core.begin_join()
        self._partners[attempt.id], self._partners[other.id] = other, attempt
        self._attempts.spawn(self._join(both, done))
        await done

    def answered(self, attempt: LiveCall, answer: ReferAnswered) -> None:
        """What became of the attempt's REFER."""
        waiting = self._referring.get(attempt.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def ended(self, attempt: LiveCall) -> None:
        """Forget an attempt that is over; whom it was joined with has nobody left."""
        waiting = self._referring.get(attempt.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        partner = self._partners.pop(attempt.id, None)
        if partner is None or self._partners.get(partner.id) is not attempt:
            return
        if partner.core.transferred:
            # Asterisk would have it go on in the dialplan, wherever its context has an `s`.
            partner.core.hang_up(time.monotonic())
            partner.pump()

    async def _refer_to(self, far_channel: str, number: str) -> str:
        endpoint = _CHANNEL.fullmatch(far_channel)
        if endpoint is None:
            raise SwitchRefused("the far end is no SIP call of a trunk", "transfer")
        trunk = await look_at_trunk(self._link, endpoint[1])
        targets = [refer_to(number, uri) for uri, _ in trunk.contacts or ()]
        target = next((one for one in targets if one is not None), None)
        if target is None:
            raise SwitchRefused(f"the trunk {trunk.name!r} has no SIP contact", "transfer")
        return target

    async def _redirect(
        self, attempt: LiveCall, far: str, answer: asyncio.Future[ReferAnswered | None]
    ) -> None:
        """Send the far leg to the dialplan; what comes of it is told by events."""
        where = {"Context": CONTEXT, "Exten": "refer", "Priority": "1"}
        try:
            await self._link.act("Redirect", {"Channel": far, **where})
        except SwitchRefused as error:
            attempt.core.stay()
            attempt.pump()
            _fail(answer, SwitchRefused(str(error), "transfer"))
        except SwitchUnavailable as error:
            attempt.core.doubt()
            _fail(answer, error)
            self._look()

    async def _join(self, both: tuple[LiveCall, LiveCall], done: asyncio.Future[None]) -> None:
        channels = [one.core.far_channel or "" for one in both]
        try:
            await self._link.act(
                "Bridge", {"Channel1": channels[0], "Channel2": channels[1], "Tone": "no"}
            )
        except SwitchRefused as error:
            for one in both:
                one.core.stay()
            _fail(done, SwitchRefused(str(error), "transfer"))
        except SwitchUnavailable as error:
            for one in both:
                one.core.doubt()
            _fail(done, error)
            self._look()
        else:
            for one in both:
                one.core.transfer(time.monotonic())
            if not done.done():
                done.set_result(None)
        for one in both:
            one.pump()


def _fail(waiting: asyncio.Future[Any], error: SwitchError) -> None:
    if not waiting.done():
        waiting.set_exception(error)
