"""Asterisk as a `Switch`: originates over AMI, joins events to attempts, reconciles."""

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pbx.addresses import bracketed, plain_address
from pbx.asterisk.attempt import AsteriskCore, is_pjsip, trunk_audio
from pbx.asterisk.config import AsteriskConfig
from pbx.asterisk.doctor import examine
from pbx.asterisk.fastagi import AgiError, AgiSession, FastAgiServer
from pbx.asterisk.incoming import (
    Presented,
    confirmed,
    knows_secret,
    look_at_leg,
    read_request,
)
from pbx.asterisk.link import AmiLink
from pbx.asterisk.messages import send_message
from pbx.asterisk.nat import behind_nat, host_of
from pbx.asterisk.originate import (
    DIAL_CONTEXT,
    HEADERS_EXTENSION,
    identity_fields,
    identity_variables,
)
from pbx.asterisk.outputs import (
    AskBridge,
    AskCallId,
    AskMedia,
    AskResponse,
    Event,
    Follow,
    HangUpChannel,
    ReferAnswered,
    Smooth,
)
from pbx.asterisk.transfers import AsteriskTransfers
from pbx.asterisk.trunk import Trunk, dialplan_has, formats_of, look_at_way
from pbx.attempt import LiveAttempt
from pbx.audio_watch import TrunkAudio
from pbx.codecs import G722, Codec, line_codec
from pbx.dial_string import Way, is_uri, pjsip_parts
from pbx.incoming import IncomingCall, OnIncoming, Refusal
from pbx.media import MediaLeg, MediaServer
from pbx.rare_log import RareLog
from pbx.switch import Dial, Ended, Finding, SwitchError, SwitchRefused, SwitchUnavailable
from pbx.switch_base import SwitchBase, Unheard, clocks
from pbx.values import ID_PREFIX, check_channel_id, whole_number

_log = logging.getLogger(__name__)

_DIGIT_MS: Final = 120
_DIGIT_GAP_S: Final = 0.1
#: Seconds that an inbound channel may take to open its media leg.
_MEDIA_LEG_S: Final = 5
#: Headers with the unique id of a channel or a bridge that an event is about.
_ABOUT: Final = ("Uniqueid", "DestUniqueid", "BridgeUniqueid", "TransfereeUniqueid")

LiveCall = LiveAttempt[AsteriskCore]


class AsteriskSwitch(SwitchBase[AsteriskCore, Trunk]):
    """Implements `pbx.switch.Switch` over AMI; FastAGI listens where inbound calls are taken."""

    _config: AsteriskConfig
    _link: AmiLink

    def __init__(
        self, config: AsteriskConfig, media: MediaServer, on_incoming: OnIncoming | None = None
    ) -> None:
        super().__init__(config, media, on_incoming)
        self._agi = FastAgiServer(self._admits, self._identify, self._take_call)
        self._refused = RareLog(_log)
        self._link = AmiLink(config, self._on_event, self._reconcile, self._on_link_down)
        self._transfers = AsteriskTransfers(
            self._link, self._attempts, self._audio, lambda: self._attempts.spawn(self._look())
        )
        self._has_dialplan = self._adds_headers = False
        self._originating: dict[str, asyncio.Future[Event]] = {}
        self._followed: dict[str, LiveCall] = {}
        """By unique ids of channels and bridges."""
        self._above: dict[str, set[LiveCall]] = {}
        """Those that Local channels asked for, by unique id of the trunk's channel beneath."""

    async def start(self) -> None:
        """Connect and log in; raises SwitchUnavailable. Reconnects by itself afterwards."""
        await super().start()
        if self._on_incoming is not None:
            try:
                await self._agi.start(self._config.fastagi_host, self._config.fastagi_port)
            except SwitchUnavailable:
                await super().close()
                raise

    async def close(self) -> None:
        """Hang up every attempt that we own and disconnect."""
        await self._attempts.hang_up_all(confirmed=self._link.connected)
        await self._agi.close()
        await self._attempts.close()
        await self._link.close()

    @property
    def fastagi_port(self) -> int | None:
        """The TCP port that inbound calls come in by; None while none are taken."""
        return self._agi.port

    async def living_channels(self) -> Sequence[str]:
        """Ids of the channels on Asterisk that bear our `offhook-` prefix, now."""
        return list(dict.fromkeys(_id(one) for one in await self._channels() if _id(one)))

    async def hang_up_channel(self, channel_id: str) -> None:
        """Hang up a channel that no attempt of this process owns (after a restart)."""
        check_channel_id(channel_id)
        for one in await self._channels():
            if channel_id not in (_id(one), one.get("Uniqueid")):
                continue
            try:
                await self._link.act("Hangup", {"Channel": one.get("Channel", "")})
            except SwitchRefused:
                if channel_id in await self.living_channels():
                    raise

    async def send_message(
        self, number: str, caller_number: str, text: str, trunk: str | None = None
    ) -> None:
        """Send a text message as SIP MESSAGE; Asterisk does not tell whether it arrives."""
        await send_message(self._link, number, caller_number, text, trunk or self._config.trunk)

    async def check(self, ways: Sequence[Way] = ()) -> Sequence[Finding]:
        """Look at the link, the trunks and the media ports, for `offhook doctor`."""
        return await examine(
            self._config, self._link, self._media, self._media_address, ways or [self._config.way()]
        )

    async def _trunk_audio(self, attempt: LiveCall) -> TrunkAudio | None:
        channel = attempt.core.sip_channel
        if not is_pjsip(channel):
            return None
        return trunk_audio(await self._variable(channel, "CHANNEL(rtcp,all)"))

    def renew_audio(self, attempt: LiveCall) -> None:
        # Its jitter buffer lets nothing through once SSRC and timestamps have jumped.
        if (channel := attempt.core.far_channel) is not None:
            self._attempts.spawn(self._smooth(attempt, channel))

    async def _why_unheard(self, attempt: LiveCall) -> Unheard:
        channel = attempt.core.sip_channel or ""
        formats = ", ".join(await self._formats(channel))
        address = await self._variable(channel, "CHANNEL(rtp,dest)")
        if whole_number(await self._variable(channel, "CHANNEL(rtcp,rxcount)")):
            host, port = self._media_address(attempt.leg)
            return Unheard(
                "rtp_address",
                f"Asterisk gets the trunk's, and is to send it to {host}:{port}, where it does not "
                "arrive: mend rtp.advertise and rtp.bind, or a firewall between the two",
            )
        if formats and not address and is_pjsip(channel):
            return Unheard(
                "codec",
                f"the far end has no codec in common with the trunk, which may speak {formats}: "
                "mend `allow` of its endpoint in pjsip.conf",
                hopeless=True,
            )
        if hidden := await self._behind_nat(channel, address):
            return Unheard("nat", f"Asterisk gets none from the trunk: {hidden}")
        return Unheard(
            "firewall",
            f"Asterisk gets none from the trunk, whose far end is at {address or 'no address'}: it "
            "is silent, or a NAT or a firewall is in the way (external_media_address in "
            "pjsip.conf)",
        )

    async def _why_unsent(self, attempt: LiveCall) -> Unheard:
        channel = attempt.core.sip_channel or ""
        address = await self._variable(channel, "CHANNEL(rtp,dest)")
        told = (
            f"the far end reports (RTCP) that nothing arrives of what Asterisk sends to {address}"
        )
        if hidden := await self._behind_nat(channel, address):
            return Unheard("nat", f"{told}: {hidden}")
        return Unheard(
            "firewall",
            f"{told}: a firewall drops it, or the address in its SDP is wrong (rtp_symmetric = yes "
            "in pjsip.conf has Asterisk send to where its audio comes from)",
        )

    async def _behind_nat(self, channel: str, media: str) -> str | None:
        """What shows that an address of the far end's, or ours, is of the wrong network."""
        # Of a call that we made, Asterisk knows where its SIP goes by the far end's Contact only.
        signalling = await self._variable(channel, "CHANNEL(pjsip,remote_addr)")
        signalling = signalling or host_of(
            await self._variable(channel, "CHANNEL(pjsip,target_uri)")
        )
        return behind_nat(media, signalling, await self._variable(channel, "CHANNEL(rtp,src)"))

    def _problem(self, trunk: Trunk, dial: Dial) -> str | None:
        """A URI has a host of its own: the endpoint's contacts are not asked."""
        return None if is_uri(dial.number) else trunk.problem

    def _encoding_for(self, trunk: Trunk) -> Codec:
        return self._codec_for(trunk.formats)

    def _core_of(self, dial: Dial) -> AsteriskCore:
        return AsteriskCore(
            dial.id,
            *clocks(),
            ring_timeout_s=dial.ring_timeout_s,
            invite_timeout_s=self._config.invite_timeout_s,
        )

    async def _place(self, attempt: LiveCall, dial: Dial, way: Way) -> None:
        # i: a callee's 302 is not followed: it would call itself in, through our own context.
        # S: from the answer on, in seconds.
        ring_s, options = dial.ring_timeout_s, f"iS({dial.limit_s})"
        dialled = way.fill(dial.number)
        parts = pjsip_parts(dialled)
        does = {"Application": "Dial", "Data": f"{dialled},{ring_s},{options}"}
        variables = [*identity_variables(dial)]
        if self._has_dialplan and parts is not None:
            # Joined again there; of `PJSIP/endpoint/sip:user@host`, too.
            before, behind = parts
            does = {"Context": DIAL_CONTEXT, "Exten": "dial", "Priority": "1"}
            variables.append(
                f"OFFHOOK_NUMBER={before},OFFHOOK_TRUNK={behind},"
                f"OFFHOOK_RING_S={ring_s},OFFHOOK_OPTIONS={options}"
            )
        if dial.hide_number:
            await self._require_hiding()
        if dial.headers:
            self._check_adds_headers(way, parts is not None)
        fields = {
            "ActionID": dial.id,
            "Channel": self._audio(attempt),
            "ChannelId": dial.id,
            "Async": "true",
            "Variable": variables,
            **identity_fields(dial),
            **does,
        }
        response: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._originating[dial.id] = response
        try:
            await self._link.act("Originate", fields)
            async with asyncio.timeout(self._config.action_timeout_s):
                outcome = await response
        except TimeoutError:
            raise SwitchUnavailable("Asterisk took the Originate but did not act on it") from None
        finally:
            self._originating.pop(dial.id, None)
        if outcome.get("Response") != "Success":
            raise await self._why_refused(dial.id, outcome)

    def _check_adds_headers(self, way: Way, dialled_by_pjsip: bool) -> None:
        """Raise SwitchRefused where a call's headers would be lost. Behind a Local channel, the
        operator's own dialplan is handed them."""
        if dialled_by_pjsip and not self._adds_headers:
            raise SwitchRefused(
                f"Asterisk's dialplan has no extension {HEADERS_EXTENSION!r} in [{DIAL_CONTEXT}], "
                "which adds a call's headers: take it from Offhook's extensions.conf",
                "headers",
            )
        if not dialled_by_pjsip and way.context is None:
            raise SwitchRefused(
                f"the dial string {way.dial_string!r} carries no headers: PJSIP/ and Local/ do",
                "headers",
            )

    async def _require_hiding(self) -> None:
        """Raises SwitchRefused where Asterisk would show the number all the same."""
        try:
            await self._link.act("ModuleCheck", {"Module": "func_callerid"})
        except SwitchRefused as error:
            raise SwitchRefused(
                "Asterisk has not loaded func_callerid, without which it hides no number",
                "hide_number",
            ) from error

    def _admits(self, host: str) -> bool:
        """Whether FastAGI requests are taken from that address."""
        address, networks = plain_address(host), self._config.fastagi_networks
        if networks:
            return any(address in one for one in networks)
        pbx = self._link.peer_host
        return address.is_loopback or (pbx is not None and address == plain_address(pbx))

    async def _identify(self, headers: Mapping[str, str]) -> Presented | None:
        """The inbound call whose FastAGI request that is; None when there is no such call."""
        call = read_request(headers)
        if call is None:
            return None
        if not knows_secret(headers.get("agi_network_script", ""), self._config.fastagi_secret):
            self._refused.warn("FastAGI: the path of a request does not end in pbx.fastagi.secret")
            return None
        try:
            return await confirmed(self._link, call)
        except SwitchUnavailable as error:
            _log.warning("FastAGI: cannot look for %s: %s", call.channel, error)
            return None

    async def _take_call(self, session: AgiSession, call: Presented) -> None:
        """An inbound call: open its audio, ask whether to take it, let its channel dial us, and
        stay until it ends."""
        known = call.unique_id in self._attempts or call.unique_id in self._followed
        if known or self._on_incoming is None:
            _log.warning("FastAGI: %s is a call already", call.channel)
            return
        leg = await look_at_leg(session, call, self._config.headers_in)
        beneath = None
        if leg.channel is not None and leg.channel != call.channel:
            beneath = call.linked_id, leg.channel
        core = AsteriskCore(
            call.unique_id,
            *clocks(),
            far_channel=call.channel,
            sip_call_id=leg.call_id,
            beneath=beneath,
        )
        try:
            attempt = self._begin(core, await self._codec_of(call.channel), leg.trunk)
        except SwitchRefused as error:
            _log.warning("no room for an inbound call: %s", error)
            await session.command(f"EXEC Hangup {Refusal.NORMAL_CIRCUIT_CONGESTION}")
            return
        if core.beneath_id is not None:
            self._above.setdefault(core.beneath_id, set()).add(attempt)
        refusal = await self._refusal(
            attempt,
            IncomingCall(
                attempt,
                call.number,
                call.caller_number,
                call.caller_name,
                leg.trunk,
                leg.dialled,
                leg.brought,
                leg.call_id,
            ),
        )
        if refusal is not None:
            await session.command(f"EXEC Hangup {refusal}")
            return
        try:
            await session.command(f'EXEC Dial "{self._audio(attempt)},{_MEDIA_LEG_S}"')
        except AgiError:
            await attempt.hang_up()
            raise

    async def _why_refused(self, channel_id: str, outcome: Event) -> SwitchRefused:
        if channel_id in await self.living_channels():
            return SwitchRefused(f"Asterisk has a channel {channel_id} already", "id")
        return SwitchRefused(
            f"Asterisk could not open the media leg (reason {outcome.get('Reason', '?')}): is "
            "chan_rtp loaded? See `offhook doctor`"
        )

    async def _look_at_trunk(self, way: Way) -> Trunk:
        return await look_at_way(self._link, way)

    def _media_address(self, leg: MediaLeg | None = None) -> tuple[str, int]:
        host, port = self._media.address_for(self._config.media_host, self._link.local_host, leg)
        return bracketed(host), port

    def _audio(self, attempt: LiveCall) -> str:
        """What Asterisk dials to reach our audio of that call."""
        host, port = self._media_address(attempt.leg)
        codec = attempt.leg.codec
        assert isinstance(codec, Codec)
        return f"UnicastRTP/{host}:{port}/c({codec.asterisk_format})"

    async def _codec_of(self, channel: str) -> Codec:
        """What our audio of a call that came in is to be."""
        if self._config.codec is not None and not self._config.wideband:
            return self._config.codec
        return self._codec_for(await self._formats(channel))

    def _codec_for(self, formats: Sequence[str]) -> Codec:
        codec = line_codec(formats, wideband=self._config.wideband)
        return codec if codec is G722 else self._config.codec or codec

    async def _formats(self, channel: str) -> Sequence[str]:
        """What a channel speaks, best first, by Asterisk's names; empty where it is gone."""
        return formats_of(await self._variable(channel, "CHANNEL(audionativeformat)"))

    def _on_event(self, event: Event) -> None:
        if event.get("Event") == "OriginateResponse":
            waiting = self._originating.get(event.get("ActionID", ""))
            if waiting is not None and not waiting.done():
                waiting.set_result(event)
            return
        attempts = self._whose(event)
        for attempt in attempts:
            attempt.core.on_event(event, time.monotonic())
            attempt.pump()
        if (
            not attempts
            and event.get("Event") == "Newchannel"
            and self._attempts.condemned(event.get("Uniqueid", ""))
        ):
            self._attempts.spawn(self._kill(event["Uniqueid"]))

    def _whose(self, event: Event) -> Sequence[LiveCall]:
        """The attempts that an event is about, mostly one: by channel or bridge, else by the
        Linkedid that its channel began with."""
        ids = [event[header] for header in _ABOUT if header in event]
        found = [self._followed.get(one) or self._attempts.get(one) for one in ids]
        attempts = list(dict.fromkeys(one for one in found if one is not None))
        linked = event.get("Linkedid") or event.get("DestLinkedid") or ""
        if not attempts and (by_link := self._attempts.get(linked)) is not None:
            return [by_link]
        return attempts or [*self._above.get(event.get("Uniqueid", ""), ())]

    async def _reconcile(self) -> None:
        # Chosen before asking: a call that begins meanwhile need not be in the answer.
        attempts = [one for one in self._attempts if one.id not in self._originating]
        channels = await self._channels()
        for attempt in attempts:
            its = [one for one in channels if attempt.core.owns(one)]
            attempt.reconcile(its)
            channel = attempt.core.sip_channel
            if attempt.core.answered and is_pjsip(channel):
                self._attempts.spawn(self._ask_hold(attempt, channel))
        for one in self._strays(channels):
            self._attempts.spawn(self._kill(one))
        self._has_dialplan = await dialplan_has(self._link, DIAL_CONTEXT)
        self._adds_headers = await dialplan_has(self._link, DIAL_CONTEXT, HEADERS_EXTENSION)
        self._attempts.link_up()  # not before: should the link be lost in the midst of this

    def _strays(self, channels: Iterable[Event]) -> Sequence[str]:
        """Channels to hang up: the condemned, and media legs to our port that nobody owns."""
        host, _ = self._media_address()
        ours = re.compile(rf"UnicastRTP/{re.escape(host)}:(\d+)-")
        # Of a Local channel's media leg nobody knows whose it is until its dialling is told.
        awaited = any(one.core.awaits_media for one in self._attempts)
        strays = []
        for one in channels:
            unique_id, linked = one.get("Uniqueid", ""), one.get("Linkedid", "")
            leg = ours.match(one.get("Channel", ""))
            orphan = (
                leg is not None
                and self._media.has_port(int(leg[1]))
                and linked not in self._attempts
                and unique_id not in self._followed
                and not unique_id.startswith(ID_PREFIX)
                and not awaited
            )
            if self._attempts.condemned(unique_id) or orphan:
                strays.append(one.get("Channel", ""))
        return strays

    async def _look(self) -> None:
        """Reconcile now, if that can be done; else it is when the link is back."""
        try:
            await self._reconcile_if_connected()
        except SwitchError as error:
            _log.debug("could not compare the calls with the PBX: %s", error)

    async def _channels(self) -> Sequence[Event]:
        answers = await self._link.act("CoreShowChannels", listing=True)
        return [one for one in answers if one.get("Event") == "CoreShowChannel"]

    def carry_out(self, attempt: LiveCall, command: Any) -> None:
        match command:
            case HangUpChannel(channel):
                self._attempts.spawn(self._kill(channel))
            case AskCallId(channel):
                self._attempts.spawn(self._ask_call_id(attempt, channel))
            case AskResponse(channel):
                self._attempts.spawn(self._ask_response(attempt, channel))
            case Smooth(channel):
                self._attempts.spawn(self._smooth(attempt, channel))
            case AskMedia(channel):
                self._attempts.spawn(self._ask_media(attempt, channel))
            case AskBridge(bridge):
                self._attempts.spawn(self._ask_bridge(attempt, bridge))
            case Follow(unique_id):
                self._followed.setdefault(unique_id, attempt)
            case ReferAnswered():
                self._transfers.answered(attempt, command)

    async def _kill(self, channel_id: str) -> None:
        try:
            await self._link.act("Hangup", {"Channel": channel_id})
        except SwitchError as error:
            _log.debug("hanging up %s: %s", channel_id, error)

    async def _ask_call_id(self, attempt: LiveCall, channel: str) -> None:
        value = await self._variable(channel, "CHANNEL(pjsip,call-id)")
        attempt.core.call_id(value)

    async def _ask_response(self, attempt: LiveCall, channel: str) -> None:
        variable = f"HANGUPCAUSE({channel},tech)"
        try:
            answer = await self._link.act("Getvar", {"Channel": channel, "Variable": variable})
        except SwitchError as error:  # then it is not known, and nobody is given up
            _log.debug("asking for %s: %s", variable, error)
            return
        attempt.core.responded(answer[0].get("Value", ""), time.monotonic())
        attempt.pump()

    async def _ask_hold(self, attempt: LiveCall, channel: str) -> None:
        if held := await self._variable(channel, "CHANNEL(rtp,hold)"):
            attempt.core.hold(held == "1", time.monotonic())
            attempt.pump()

    async def _smooth(self, attempt: LiveCall, channel: str) -> None:
        formats = await self._formats(channel)
        if formats:
            attempt.core.trunk = replace(attempt.core.trunk, codec=formats[0])
        codec = attempt.leg.codec
        if not formats or (isinstance(codec, Codec) and codec.asterisk_format == formats[0]):
            return
        _log.info("%s: Asterisk transcodes from %s", attempt.id, formats[0])
        buffer = {"Channel": channel, "Variable": "JITTERBUFFER(adaptive)", "Value": "default"}
        try:
            await self._link.act("Setvar", buffer)
        except SwitchError as error:
            _log.warning("%s: what comes out of order is lost: %s", attempt.id, error)

    async def _ask_media(self, attempt: LiveCall, channel: str) -> None:
        host = await self._variable(channel, "UNICASTRTP_LOCAL_ADDRESS")
        port = await self._variable(channel, "UNICASTRTP_LOCAL_PORT")
        if host and port.isdigit():
            attempt.core.media_at(channel, host, int(port))
            attempt.pump()

    async def _ask_bridge(self, attempt: LiveCall, bridge: str) -> None:
        try:
            answers = await self._link.act("BridgeInfo", {"BridgeUniqueid": bridge}, listing=True)
        except SwitchError as error:
            _log.debug("asking who is in %s: %s", bridge, error)
            return
        channels = [one for one in answers if one.get("Event") == "BridgeInfoChannel"]
        attempt.core.in_bridge(bridge, channels, time.monotonic())
        attempt.pump()

    async def _variable(self, channel: str, name: str) -> str:
        """A variable of a channel; empty where it or the channel is not there."""
        try:
            answer = await self._link.act("Getvar", {"Channel": channel, "Variable": name})
        except SwitchError as error:
            _log.debug("asking for %s of %s: %s", name, channel, error)
            return ""
        return answer[0].get("Value", "")

    async def limit(self, attempt: LiveCall, seconds: int) -> None:
        channel = attempt.core.far_channel
        if channel is None:
            raise SwitchRefused("the call has no channel of the trunk yet", "limit_s")
        await self._link.act("AbsoluteTimeout", {"Channel": channel, "Timeout": str(seconds)})

    async def send_digits(self, attempt: LiveCall, digits: str) -> None:
        for digit in digits:
            channel = attempt.core.far_channel
            if channel is None or not attempt.core.answered:
                raise SwitchRefused("the call is over", "digits")
            await self._link.act(
                "PlayDTMF", {"Channel": channel, "Digit": digit, "Duration": str(_DIGIT_MS)}
            )
            await asyncio.sleep(_DIGIT_GAP_S)

    async def refer(self, attempt: LiveCall, number: str) -> None:
        await self._transfers.refer(attempt, number)

    async def join(self, attempt: LiveCall, other: LiveCall) -> None:
        await self._transfers.join(attempt, other)

    def attempt_ended(self, attempt: LiveCall, ended: Ended) -> None:
        super().attempt_ended(attempt, ended)
        self._transfers.ended(attempt)
        self._unfollow(attempt)

    def _forget(self, attempt: LiveCall) -> None:
        super()._forget(attempt)
        self._unfollow(attempt)

    def _unfollow(self, attempt: LiveCall) -> None:
        self._followed = {
            one: whose for one, whose in self._followed.items() if whose is not attempt
        }
        beneath = attempt.core.beneath_id or ""
        if left := self._above.pop(beneath, set()) - {attempt}:
            self._above[beneath] = left


def _id(channel: Event) -> str:
    """The id, chosen by us, whose channel that is; empty where it is nobody's.

    The media leg bears it: as its own at first, and as its Linkedid once a refused transfer has
    given the attempt another media leg.
    """
    unique_id, linked = channel.get("Uniqueid", ""), channel.get("Linkedid", "")
    if unique_id.startswith(ID_PREFIX):
        return unique_id
    media = channel.get("Channel", "").startswith("UnicastRTP/")
    return linked if media and linked.startswith(ID_PREFIX) else ""
