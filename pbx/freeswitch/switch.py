"""FreeSWITCH as a `Switch`: originates over ESL, joins events to attempts, reconciles."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Sequence
from typing import Any, Final

from pbx.attempt import LiveAttempt
from pbx.audio_port import MediaError
from pbx.audio_watch import TrunkAudio
from pbx.codecs import UNICAST8, UNICAST8_WIDENED, UNICAST16, Encoding
from pbx.dial_string import Way
from pbx.freeswitch.attempt import Event, FreeSwitchCore, HangUp, OpenAudio, Park
from pbx.freeswitch.config import FreeSwitchConfig
from pbx.freeswitch.doctor import examine
from pbx.freeswitch.gateway import Gateway, look_at_way
from pbx.freeswitch.link import EslLink, unicast
from pbx.freeswitch.originate import originate_argument
from pbx.freeswitch.ports import UnicastPorts
from pbx.freeswitch.transfers import TRANSFERRED, FreeSwitchTransfers
from pbx.incoming import (
    NAME_LENGTH,
    NUMBER_LENGTH,
    TOLD,
    IncomingCall,
    OnIncoming,
    Refusal,
    brought,
    one_line,
)
from pbx.media import MediaServer
from pbx.switch import Dial, Ended, Finding, SwitchError, SwitchRefused, SwitchUnavailable
from pbx.switch_base import SwitchBase, Unheard, clocks
from pbx.values import ID_PREFIX, check_channel_id, is_id

_log = logging.getLogger(__name__)

#: Seconds of silence after which a `unicast` has failed: it answers +OK whatever comes of it.
_FIRST_AUDIO_S: Final = 1.0
#: Seconds of silence after which an open `unicast` has died: it sends a frame each 20 ms, of
#: nothing if need be, until it dies without a word (`uuid_broadcast` kills it, or a failed send).
_AUDIO_GONE_S: Final = 10.0
_DIGIT_MS: Final = 120
#: Seconds after which the result of an originate will not come any more.
_LONGEST_RING_S: Final = 660.0
_GONE: Final = "-ERR No such channel"
#: The variable that `uuid_set_media_stats` counts the trunk's packets in.
_RECEIVED: Final = "rtp_audio_in_packet_count"
#: How FreeSWITCH names the variables that hold an INVITE's headers.
_HEADER: Final = "variable_sip_h_"
_KNOWN: Final = "variable_sip_"
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

LiveCall = LiveAttempt[FreeSwitchCore]


class FreeSwitchSwitch(SwitchBase[FreeSwitchCore, Gateway]):
    """Implements `pbx.switch.Switch` over ESL."""

    ask_s = 6.0
    _config: FreeSwitchConfig
    _link: EslLink

    def __init__(
        self, config: FreeSwitchConfig, media: MediaServer, on_incoming: OnIncoming | None = None
    ) -> None:
        super().__init__(config, media, on_incoming)
        self._link = EslLink(config, self._on_event, self._reconcile, self._on_link_down)
        self._created: dict[str, asyncio.Event] = {}
        self._transfers = FreeSwitchTransfers(self._link, self._attempts)
        self._ports = UnicastPorts(config.unicast_port_min, config.unicast_port_max)

    async def living_channels(self) -> Sequence[str]:
        """Ids of the channels on FreeSWITCH that bear our `offhook-` prefix, now."""
        listed = json.loads(await self._link.api("show", f"channels like {ID_PREFIX} as json"))
        ids = {row.get("uuid", "") for row in listed.get("rows", [])}
        # The list lags behind the channels; of our own we know better.
        ids |= {one.id for one in self._attempts}
        ours = sorted(one for one in ids if is_id(one))
        marks = await asyncio.gather(
            *(self._link.job("uuid_getvar", f"{one} {TRANSFERRED}") for one in ours)
        )
        return [
            one
            for one, mark in zip(ours, marks, strict=True)
            if mark != "true" and not mark.startswith(_GONE)
        ]

    async def hang_up_channel(self, channel_id: str) -> None:
        """Hang up a channel that no attempt of this process owns (after a restart)."""
        check_channel_id(channel_id)
        answer = await self._link.job("uuid_kill", channel_id)
        if answer.startswith("-") and not answer.startswith(_GONE):
            raise SwitchRefused(f"FreeSWITCH refused to hang {channel_id} up: {answer}", "id")

    async def send_message(
        self,
        number: str,  # noqa: ARG002
        caller_number: str,  # noqa: ARG002
        text: str,  # noqa: ARG002
        trunk: str | None = None,  # noqa: ARG002
    ) -> None:
        """Raises SwitchRefused."""
        raise SwitchRefused("text messages over FreeSWITCH are not supported", "text")

    async def check(self, ways: Sequence[Way] = ()) -> Sequence[Finding]:
        """Look at the link, the trunks and the media ports, for `offhook doctor`."""
        return await examine(self._config, self._link, self._media, ways or [self._config.way()])

    def carry_out(self, attempt: LiveCall, command: Any) -> None:
        match command:
            case HangUp(cause):
                self._attempts.spawn(self._kill(attempt.id, cause))
            case Park(answer):
                self._attempts.spawn(self._park(attempt.id, answer=answer))
            case OpenAudio(turn, rate):
                self._attempts.spawn(self._open_audio(attempt, turn, rate))

    async def limit(self, attempt: LiveCall, seconds: int) -> None:
        await self._link.api("sched_del", attempt.id)
        await self._link.api("sched_hangup", f"+{seconds} {attempt.id}")

    async def send_digits(self, attempt: LiveCall, digits: str) -> None:
        await self._link.api("uuid_send_dtmf", f"{attempt.id} {digits}@{_DIGIT_MS}")

    async def refer(self, attempt: LiveCall, number: str) -> None:
        gateway = await self._trunk(self._config.way(attempt.trunk))
        await self._transfers.refer(attempt, number, gateway.host)

    async def join(self, attempt: LiveCall, other: LiveCall) -> None:
        await self._transfers.join(attempt, other)

    def attempt_ended(self, attempt: LiveCall, ended: Ended) -> None:
        super().attempt_ended(attempt, ended)
        self._ports.give_back(attempt.id)

    async def _trunk_audio(self, attempt: LiveCall) -> TrunkAudio | None:
        await self._quietly("uuid_set_media_stats", attempt.id)
        try:
            count = await self._link.api("uuid_getvar", f"{attempt.id} {_RECEIVED}")
        except SwitchError as error:
            _log.debug("%s: what the trunk brought is not known: %s", attempt.id, error)
            return None
        return TrunkAudio(int(count)) if count.isdecimal() else None

    async def _why_unheard(self, attempt: LiveCall) -> Unheard:  # noqa: ARG002
        return Unheard(
            "firewall",
            "FreeSWITCH gets none from the trunk: the far end is silent, or a NAT or a firewall is "
            "in the way (ext-rtp-ip of the profile)",
        )

    def _encoding_for(self, trunk: Gateway) -> Encoding:  # noqa: ARG002
        return self._encoding

    @property
    def _encoding(self) -> Encoding:
        return UNICAST16 if self._config.wideband else UNICAST8

    def _core_of(self, dial: Dial) -> FreeSwitchCore:
        return FreeSwitchCore(
            dial.id,
            *clocks(),
            ring_timeout_s=dial.ring_timeout_s,
            wideband=self._config.wideband,
        )

    async def _require_free(self, channel_id: str) -> None:
        if await self._link.job("uuid_exists", channel_id) == "true":
            raise SwitchRefused(f"FreeSWITCH has a channel {channel_id} already", "id")

    async def _place(self, attempt: LiveCall, dial: Dial, way: Way) -> None:
        host = (await self._trunk(way)).host
        argument = originate_argument(dial, way, self._config, host or "localhost")
        created = self._created[attempt.id] = asyncio.Event()
        job = asyncio.create_task(self._link.job("originate", argument, limit_s=_LONGEST_RING_S))
        waiting = asyncio.create_task(created.wait())
        try:
            await asyncio.wait(
                {job, waiting},
                timeout=self._config.command_timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not created.is_set():
                if not job.done():
                    raise SwitchUnavailable("FreeSWITCH took the originate but did not act on it")
                result = job.result()
                if result.startswith("-"):
                    raise _not_placed(result)
        except BaseException:
            job.cancel()
            raise
        finally:
            waiting.cancel()
            del self._created[attempt.id]
        self._attempts.spawn(self._follow(attempt, job))

    async def _follow(self, attempt: LiveCall, job: asyncio.Task[str]) -> None:
        """Tell the attempt what its originate comes to; the channel's events say the same."""
        try:
            result = await job
        except SwitchError as error:
            _log.debug("%s: the originate's result is lost: %s", attempt.id, error)
            return
        failure = result.removeprefix("-ERR ").strip() if result.startswith("-") else None
        attempt.core.on_originate(failure, time.monotonic())
        attempt.pump()

    async def _look_at_trunk(self, way: Way) -> Gateway:
        return await look_at_way(self._link, way)

    async def _open_audio(self, attempt: LiveCall, turn: int, rate: int) -> None:
        """`unicast`, which says +OK to everything: only audio that comes is a success."""
        if attempt.finished.is_set() or not attempt.core.awaits_audio(turn):
            return  # events that came at once with the CHANNEL_PARK have overtaken it
        problem = "FreeSWITCH sent none: are its `unicast` ports free, and is ours reachable?"
        try:
            port = self._ports.take(attempt.id)
            theirs = self._config.audio_host or self._link.peer_host or self._config.host
            ours = self._media.address_for(
                self._config.media_host, self._link.local_host, attempt.leg
            )
            if self._config.wideband:
                attempt.leg.recode(UNICAST8_WIDENED if rate == UNICAST8.rate else UNICAST16)
            attempt.leg.connect((theirs, port))
            await self._link.message(attempt.id, unicast((theirs, port), ours))
            heard = await attempt.leg.wait_heard(_FIRST_AUDIO_S)
        except SwitchUnavailable as error:
            # The link is gone; once it is back, the reconciliation parks the channel anew.
            _log.warning("%s: no audio yet: %s", attempt.id, error)
            attempt.core.audio_interrupted(turn)
            attempt.pump()
            return
        except (SwitchRefused, MediaError) as error:
            heard, problem = False, str(error)
        if heard:
            attempt.core.audio_opened(turn)
        else:
            attempt.core.audio_failed(turn, problem, time.monotonic())
        attempt.pump()

    def _on_event(self, event: Event) -> None:
        channel_id = event.get("Unique-ID", "")
        created = self._created.get(channel_id)
        if created is not None and event.get("Event-Name") == "CHANNEL_CREATE":
            created.set()
        attempt = self._attempts.get(channel_id)
        if attempt is not None:
            attempt.core.on_event(event, time.monotonic())
            attempt.pump()
        elif event.get("Event-Name") not in ("CHANNEL_CREATE", "CHANNEL_PARK"):
            return
        elif self._attempts.condemned(channel_id):
            self._attempts.spawn(self._kill(channel_id))
        elif event.get("Event-Name") == "CHANNEL_PARK" and (
            event.get("Call-Direction") == "inbound"
        ):
            self._take_call(event)

    def _take_call(self, event: Event) -> None:
        """An inbound call has parked: ask whether to take it."""
        if self._on_incoming is None or event.get("variable_offhook") != "true":
            return
        channel_id = event["Unique-ID"]
        if not _UUID.fullmatch(channel_id):
            # It would be written into commands, and comes from the caller.
            _log.warning(
                "refused an inbound call whose id is no UUID: the Sofia profile must not "
                "have inbound-use-callid-as-uuid"
            )
            return
        try:
            core = FreeSwitchCore(
                channel_id, *clocks(), inbound=True, wideband=self._config.wideband
            )
            attempt = self._begin(core, self._encoding)
        except SwitchRefused as error:
            _log.warning("no room for an inbound call: %s", error)
            refusal = Refusal.NORMAL_CIRCUIT_CONGESTION
            self._attempts.spawn(self._kill(channel_id, refusal.name))
            return
        self._attempts.spawn(self._answer_or_refuse(attempt, event))

    async def _answer_or_refuse(self, attempt: LiveCall, parked: Event) -> None:
        told = brought(_told(parked), _headers(parked), allowed=self._config.headers_in)
        number, name = parked.get("Caller-Caller-ID-Number"), parked.get("Caller-Caller-ID-Name")
        if told.asserted_number is not None and number == told.asserted_number:
            # FreeSWITCH takes that for the caller's, whatever the trunk is worth.
            number, name = parked.get(f"{_KNOWN}from_user"), parked.get(f"{_KNOWN}from_display")
        call = IncomingCall(
            attempt,
            one_line(parked.get("Caller-Destination-Number"), NUMBER_LENGTH) or "",
            one_line(number, NUMBER_LENGTH),
            one_line(name, NAME_LENGTH),
            brought=told,
            sip_call_id=parked.get("variable_sip_call_id"),
        )
        refusal = await self._refusal(attempt, call)
        if refusal is not None:
            await self._kill(attempt.id, refusal.name)
            return
        attempt.core.on_event(parked, time.monotonic())
        attempt.pump()

    async def _reconcile(self) -> None:
        attempts = [one for one in self._attempts if one.id not in self._created]
        answers = await asyncio.gather(
            *(self._link.job("uuid_dump", f"{one.id} json") for one in attempts)
        )
        for attempt, answer in zip(attempts, answers, strict=True):
            if attempt.leg.unheard_s() > _AUDIO_GONE_S:
                attempt.core.audio_stopped()
            attempt.reconcile(_dumped(answer))
        for channel_id in self._attempts.all_condemned():
            await self._link.job("uuid_kill", channel_id)
        self._attempts.link_up()  # not before: should the link be lost in the midst of this

    async def _park(self, channel_id: str, *, answer: bool) -> None:
        applications = "answer,park" if answer else "park"
        await self._quietly("uuid_transfer", f"{channel_id} '{applications}' inline")

    async def _kill(self, channel_id: str, cause: str = "NORMAL_CLEARING") -> None:
        await self._quietly("uuid_kill", f"{channel_id} {cause}")

    async def _quietly(self, command: str, argument: str) -> None:
        """Do that if it can be done; the attempts' deadlines mind the rest."""
        try:
            await self._link.api(command, argument)
        except SwitchError as error:
            _log.debug("%s %s: %s", command, argument, error)

    def _forget(self, attempt: LiveCall) -> None:
        super()._forget(attempt)
        self._ports.give_back(attempt.id)


def _told(event: Event) -> dict[str, str]:
    """Those headers of the INVITE that FreeSWITCH knows by itself, and those that it does not."""
    own = {name: event.get(f"{_HEADER}{name}") or event.get(f"{_KNOWN}{name}") for name in TOLD}
    return {name: value for name, value in own.items() if value is not None}


def _headers(event: Event) -> list[tuple[str, str]]:
    """The headers of the INVITE that FreeSWITCH hands on."""
    return [
        (name.removeprefix(_HEADER), value)
        for name, value in event.items()
        if name.startswith(_HEADER)
    ]


def _not_placed(result: str) -> SwitchRefused:
    """An originate that made no channel."""
    reason = result.removeprefix("-ERR").strip()
    field = "trunk" if "GATEWAY" in reason or "PROFILE" in reason else None
    if reason == "DESTINATION_OUT_OF_ORDER":
        reason += " (as it does at max-sessions and sessions-per-second: see switch.conf.xml)"
    return SwitchRefused(f"FreeSWITCH refused to dial: {reason}", field)


def _dumped(answer: str) -> Event | None:
    """A `uuid_dump` as an event; None when there is no such channel. Raises SwitchRefused."""
    if answer.startswith(_GONE):
        return None
    try:
        found = json.loads(answer)
    except ValueError as error:  # while mod_commands is being reloaded, for one
        raise SwitchRefused(f"FreeSWITCH does not tell of its channels: {answer[:80]}") from error
    return {str(name): str(value) for name, value in found.items()}
