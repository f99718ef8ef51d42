"""One attempt as Asterisk's manager events tell it: events and `now` in, progress out. No I/O.

An outbound attempt is a UnicastRTP channel (the *media leg*, whose unique id we choose) that runs
Dial; Dial makes the *far leg*, a PJSIP channel, under the same Linkedid. An inbound attempt is
the other way round: the far leg is there first and dials the media leg. Both end when both legs
have hung up. Asterisk tells what the network answered in `HangupRequest` and `Hangup` of the far
leg (`Cause` is Q.850, `TechCause` the SIP response), the rest in `DialBegin`, `DialState` and
`DialEnd`. Whatever the PBX fails to say in time is forced by deadlines, so that every attempt
ends exactly once.

The far end is who is in one bridge with the media leg. The PBX puts another channel there when it
optimises a Local channel away, or when somebody transfers the call (`BridgeEnter`); then the call
goes on with that one.

Where the trunk is a context of the PBX's dialplan, the far leg is one half of a Local channel, and
what the dialplan dials is the trunk's leg *beneath* it: of it come the SIP facts, of the Local half
all else, as the dialplan has it: it may try other trunks, ring several phones, answer by itself.

A transfer takes the far leg away from the media leg, which ends. It comes back, with another
media leg, when the far end refuses a REFER; else the attempt lives on as its far leg alone.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeGuard

from pbx import causes
from pbx.asterisk.outputs import (
    AskBridge,
    AskCallId,
    AskMedia,
    AskResponse,
    Event,
    Follow,
    HangUpChannel,
    Output,
    ReferAnswered,
    Smooth,
)
from pbx.attempt_core import (
    HANG_UP_S,
    LAST_WORD_S,
    SILENCE_S,
    SILENCE_SHARE,
    AttemptCore,
    ConnectMedia,
    DisconnectMedia,
    Phase,
)
from pbx.audio_watch import TrunkAudio
from pbx.config import INVITE_TIMEOUT_S
from pbx.incoming import NUMBER_LENGTH, one_line
from pbx.rtp import sequence_delta
from pbx.sent_watch import FarEndReport
from pbx.switch import Answered, Cause, Dialing, EarlyMedia, Ringing, Transferred, TrunkStats
from pbx.values import whole_number

_MEDIA: Final = "UnicastRTP/"
_LOCAL: Final = "Local/"
#: Told of a Local channel these are the dialplan's words, not the trunk's.
_OF_DIALPLAN: Final = ("CONGESTION", "CHANUNAVAIL")
#: The channel variable that the shipped dialplan tells a dialled channel's SIP Call-ID by.
CALL_ID: Final = "OFFHOOK_CALL_ID"
#: Seconds from the originate until Dial must have begun.
_START_S: Final = 10.0
#: Seconds that Dial may take beyond the ring timeout that it was given.
_RING_GRACE_S: Final = 5.0
#: Seconds between DialBegin and the end of an INVITE beyond its own time.
_INVITE_GRACE_S: Final = 0.5
#: Seconds for the answer to a REFER. After 32 s without any (64 times T1, RFC 3261 section
#: 17.1.2.2) Asterisk reports 408, so that later than this it was taken, and there it rings on.
_REFER_S: Final = 40.0
#: A REFER's final status is a SIP code from here on; 500 is also told for an end of the call.
_SIP_FAILURE: Final = 300
_SIP_SERVER_ERROR: Final = 500
#: What a redirection that Dial did not follow passes for, where its own code is not told.
_MOVED_TEMPORARILY: Final = 302
#: With these Asterisk itself hangs up on an answer that has no description, or none of use.
_NO_CODEC: Final = frozenset({406, 415, 488, 606})
#: What is the matter with a call that comes no further.
_TOO_LATE: Final[Mapping[Phase, str]] = {
    "starting": "Asterisk did not begin to dial in time.",
    "dialing": "Asterisk did not end the dialling in time.",
    "offered": "Asterisk did not answer the call in time.",
}


class AsteriskCore(AttemptCore[Output]):
    """The life of one attempt on Asterisk.

    Args:
        id: unique id of the channel that began it, and the Linkedid of all of its channels.
        now: seconds of a steady clock, as in every method.
        epoch: what to add to that clock for Unix seconds.
        ring_timeout_s: what Dial was told.
        invite_timeout_s: how long Asterisk sends an INVITE that nobody answers.
        far_channel: for an inbound attempt, the name of the channel that asks us to take it.
        sip_call_id: for an inbound attempt, that of the trunk's leg.
        beneath: for one that a Local channel asks for, unique id and name of the trunk's channel.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the interface's word
        now: float,
        epoch: float,
        *,
        ring_timeout_s: float = 30,
        invite_timeout_s: float = INVITE_TIMEOUT_S,
        far_channel: str | None = None,
        sip_call_id: str | None = None,
        beneath: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(id, epoch, now + _START_S, ring_timeout_s, far_channel is not None)
        self._far_leads = self._inbound
        self._media_channel: str | None = None
        self._media_id: str | None = None if self._inbound else id
        self._connected_id: str | None = None
        self._bridge: str | None = None
        self._far_bridge: str | None = None
        self._beside: Event | None = None
        self._moved = False
        self._media_host: str | None = None
        self._far_id: str | None = id if self._inbound else None
        self._far_channel = far_channel
        self._far_gone = False
        self._far_asked = False
        self._dial_status: str | None = None
        self._give_up_at: float | None = None
        self._invite_timeout_s = invite_timeout_s
        self._invite_over_at = 0.0
        self._redirected = False
        self._no_codec = False
        self._refer_code: int | None = None
        self._doubtful = False
        self._fading = False
        self._leaves_media = False
        self._call_id = sip_call_id
        self._beneath_id: str | None = None
        self._beneath_channel: str | None = None
        self._all_beneath: dict[str, str] = {}
        """Names of those that were dialled for a Local channel, by unique id."""
        if beneath is not None:
            self._beneath_id, self._beneath_channel = beneath

    @property
    def answered(self) -> bool:
        return super().answered and not self._far_gone

    @property
    def far_channel(self) -> str | None:
        """Name of the trunk's channel, once there is one."""
        return self._far_channel

    @property
    def far_id(self) -> str | None:
        """Unique id of the trunk's channel, once there is one."""
        return self._far_id

    @property
    def sip_channel(self) -> str | None:
        """Name of the channel that knows of the trunk's SIP and RTP, as far as it is known."""
        if is_pjsip(self._far_channel) or self._beneath_channel is None:
            return self._far_channel
        return self._beneath_channel

    @property
    def beneath_id(self) -> str | None:
        """Unique id of the trunk's channel where a Local one is between: its events count, too."""
        return self._beneath_id

    @property
    def awaits_media(self) -> bool:
        """Whether its media leg may be there, and is not known yet."""
        return self._media_id is None

    def on_event(self, event: Event, now: float) -> None:
        """Digest one event of a channel or bridge that it follows, or of its Linkedid."""
        if self.over:
            return
        match event.get("Event"):
            case "Newchannel" | "VarSet" if _is_media(event):
                if self._may_be_ours(event):
                    self._on_media_leg(event)
            case "Hangup" if _is_media(event):
                self._on_media_hang_up(event, now)
            case "VarSet" if event.get("Variable") == CALL_ID:
                self._call_id = event.get("Value") or self._call_id
            case "BridgeEnter":
                self._on_bridge_enter(event, now)
            case "BlindTransfer" if event.get("TransfereeUniqueid") == self._media_id:
                self._on_sent_on(event)
            case "DialBegin" if event.get("Uniqueid") == self._media_id:
                # The originate itself is told as one of the media leg, without a caller.
                self._adopt_far(event.get("DestUniqueid"), event.get("DestChannel"), now)
            case "DialBegin" if event.get("Uniqueid") == self._far_id:
                self._on_media_dialled(event)
            case "DialBegin" if self._by_local:
                self._on_beneath_dialled(event, now)
            case "DialEnd" if event.get("Uniqueid") == self._far_id:
                # A channel that somebody had answered before gets no other answer.
                if self._inbound and event.get("DialStatus") == "ANSWER":
                    self._answer(now)
            case "VarSet" if event.get("Variable") == "RTPAUDIOQOS" and self._is_trunk(event):
                self.trunk = replace(trunk_stats(event.get("Value", "")), codec=self.trunk.codec)
            case "RTCPReceived" if self._is_trunk(event):
                self._outputs.append(_report(event))
            case "Hold" | "Unhold" as what if self._is_trunk(event):
                self.hold(what == "Hold", now)
            case "Newstate" if event.get("ChannelStateDesc") == "Up" and self._by_local:
                self._on_up(event, now)
            case "HangupRequest" | "Hangup" if (
                event.get("Uniqueid") == self._beneath_id is not None
            ):
                self._note_trunk_cause(event)
            case _ if not self._is_far(event):
                pass
            case "VarSet":
                self._on_refer_status(event, now)
            case "DialState" if event.get("DialStatus") == "RINGING":
                self._tell(Ringing(now + self._epoch))
            case "DialState" if event.get("DialStatus") == "PROGRESS":
                self._tell(EarlyMedia(now + self._epoch))
            case "DialEnd":
                self._on_dial_end(event, now)
            case "Newstate" if event.get("ChannelStateDesc") == "Up":
                self._answer(now)
            case "DTMFEnd":
                self._on_digit(event, now)
            case "HangupRequest":
                self._far_asked = True
                self._note_cause(event)
            case "Hangup":
                self._note_cause(event)
                self._on_far_gone(now)

    def call_id(self, value: str) -> None:
        """The answer to `AskCallId`."""
        self._call_id = value or self._call_id

    def responded(self, value: str, now: float) -> None:
        """The answer to `AskResponse`: a trunk that has said nothing will not, and is given up."""
        if not value and self._phase == "dialing" and not self._alerted and not self._unwanted:
            self._silent = True
            if not self._by_local:  # a dialplan may try another trunk
                self._force(now)

    def media_at(self, channel: str, host: str, port: int) -> None:
        """The answer to `AskMedia`; also told by events, should they not be missed."""
        if self.over or self.transferred:
            return
        self._media_channel, self._connected_id = channel, self._media_id
        self._outputs.append(ConnectMedia(host, port))
        if self._phase == "referring":
            self.stay()
            self._outputs.append(ReferAnswered(False, self._refer_code))

    def in_bridge(self, bridge: str, channels: Iterable[Event], now: float) -> None:
        """The answer to `AskBridge`.

        Args:
            bridge: which one was asked about.
            channels: those in it, each with its `Uniqueid` and `Channel`.
            now: as always.
        """
        others = [one for one in channels if one.get("Uniqueid") != self._media_id]
        if bridge != self._bridge or not others or self.over:
            return
        strangers = [one for one in others if not self._is_far(one)]
        if len(strangers) == len(others):
            self._talk_with(strangers[0], now)
        else:
            self._far_bridge = bridge
            self._beside = strangers[0] if strangers else None
            self._answer(now)

    def begin_join(self) -> None:
        """The far leg is about to be moved to another one: `transferred()` or `stay()` follows."""
        self._phases.step("join")
        self._doubtful = False

    def begin_refer(self, now: float) -> None:
        """The far leg is about to be sent to the dialplan that refers it; or `stay()` follows."""
        self._phases.step("refer")
        self._doubtful = False
        self._far_leads = True
        self._refer_code = None
        self._deadline = now + _REFER_S

    def stay(self) -> None:
        """The far leg was not moved: the call goes on with us."""
        if self._phases.step("stay"):
            self._fading = False
            if not self._unwanted:
                self._deadline = None

    def doubt(self) -> None:
        """Nobody knows whether the far leg was moved; `reconcile()` will tell."""
        self._doubtful = True

    def transfer(self, now: float) -> None:
        """The far leg talks to somebody else."""
        referred = self._phase == "referring"
        if self._tell(Transferred(now + self._epoch)):
            if not self._unwanted:
                self._leaves_media = not referred and self._media_channel is not None
                late = referred or self._leaves_media
                self._deadline = now + HANG_UP_S if late else None
            if referred:
                self._outputs.append(ReferAnswered(True))

    def owns(self, channel: Event) -> bool:
        """Whether that living channel is this attempt's."""
        # Asterisk gives joined channels one Linkedid: that of either.
        return (
            channel.get("Linkedid") == self.id
            or channel.get("Uniqueid") in (self._far_id, self._media_id)
            or bool(self._bridge and channel.get("BridgeId") == self._bridge)
        )

    def reconcile(self, channels: Iterable[Event], now: float) -> None:
        """Catch up after a lost link.

        Args:
            channels: `CoreShowChannel` events of the channels that it `owns()`: what lives now.
            now: as always.
        """
        if self.over or self._media_gone:
            return
        living = list(channels)
        media = [one for one in living if _is_media(one) and self._may_be_ours(one)]
        others = [one for one in living if not _is_media(one)]
        known = [one for one in others if self._is_far(one)]
        if self._away or self.transferred:
            self._reconcile_taken(media, known, now)
            return
        if not media and others and self._inbound and self._media_channel is None:
            return  # the caller's channel has not dialled us yet
        if not media:
            self.lose("The call ended on the PBX, and how did not come over its manager link.", now)
            for one in [] if self._moved else others:
                self._outputs.append(HangUpChannel(one.get("Channel", "")))
            return
        self._adopt_media(media[0])
        bridge = media[0].get("BridgeId")
        if bridge and bridge != self._bridge:
            self._enter(bridge)
            self._outputs.append(AskBridge(bridge))
        if self._moved and not known:  # whom it went to is told by their bridge
            here = [one for one in others if bridge and one.get("BridgeId") == bridge]
            if here:
                self._talk_with(here[0], now)
            others = []
        others.sort(key=lambda one: not one.get("Channel", "").endswith(";1"))
        for far in (known or others)[:1]:
            self._adopt_far(far.get("Uniqueid"), far.get("Channel"), now)
            if far.get("ChannelStateDesc") == "Ringing":
                self._tell(Ringing(now + self._epoch))
            elif far.get("ChannelStateDesc") == "Up":
                self._answer(now)
        self._insist(now)

    def _settle(self, now: float) -> bool:
        if self._media_gone:
            if self._far_channel is not None and not self._far_gone:
                self._outputs.append(HangUpChannel(self._far_channel))
            self._finish(now)
        elif self._leaves_media:
            self._drop_media()
        elif self._fading:
            self._on_far_gone(now)
        elif self._give_up_at is not None and self._hang_ups == 0 and not self._far_gone:
            self._deadline, self._give_up_at = self._give_up_at, None
            if self._phase == "dialing" and not self._alerted and is_pjsip(self.sip_channel):
                self._outputs.append(AskResponse(self.sip_channel))
        elif self._phase == "referring" and self._hang_ups == 0:
            self.transfer(now)
        else:
            return False
        return True

    def _give_up_waiting(self) -> None:
        if not self._far_gone:
            self._complaint = _TOO_LATE.get(self._phase)

    def _reconcile_taken(self, media: list[Event], far: list[Event], now: float) -> None:
        """The far leg was taken from the media leg, or is just being taken."""
        if not far:
            self._on_far_gone(now)
        elif self._phase == "joining" and self._doubtful:
            if media:
                self.stay()
            else:
                self.transfer(now)
        elif self._phase == "referring" and media:
            self._adopt_media(media[0])
            if self._doubtful and self._connected_id == self._media_id:
                self.stay()
        self._insist(now)

    def _on_media_leg(self, event: Event) -> None:
        if self.transferred:
            return
        channel, value = event.get("Channel", ""), event.get("Value", "")
        self._set_media(event.get("Uniqueid", ""), channel)
        if event.get("Variable") == "UNICASTRTP_LOCAL_ADDRESS":
            self._media_host = value
        elif event.get("Variable") == "UNICASTRTP_LOCAL_PORT" and self._media_host:
            self.media_at(channel, self._media_host, whole_number(value) or 0)

    def _on_refer_status(self, event: Event, now: float) -> None:
        if self._phase not in ("referring", "transferred"):
            return
        if event.get("Variable") == "TRANSFERSTATUSPROTOCOL":
            code = whole_number(event.get("Value", "")) or 0
            self._refer_code = code if code >= _SIP_FAILURE else None
            if code == 0:
                # Success, or the channel is hung up; its Hangup event, should the far end still
                # owe us a NOTIFY, comes with that only.
                self._fading = True
                self._deadline = now + LAST_WORD_S
        elif event.get("Variable") == "TRANSFERSTATUS" and event.get("Value") == "SUCCESS":
            self.transfer(now)

    def _set_media(self, unique_id: str, channel: str) -> None:
        self._media_channel = channel
        if unique_id != self._media_id:
            self._media_id = unique_id
            self._outputs.append(Follow(unique_id))

    def _adopt_media(self, found: Event) -> None:
        """Take a media leg that is found to be there, and ask for its audio where that is new."""
        unique_id, channel = found.get("Uniqueid", ""), found.get("Channel", "")
        self._set_media(unique_id, channel)
        if unique_id != self._connected_id:
            self._outputs.append(AskMedia(channel))

    def _may_be_ours(self, media: Event) -> bool:
        """Whether that media leg is the one it has or waits for: others may have its Linkedid."""
        return self._media_id in (None, media.get("Uniqueid")) or self._phase == "referring"

    def _on_media_dialled(self, event: Event) -> None:
        """The far leg dials the media leg: of a Local channel's, nothing else tells whose it is."""
        unique_id, channel = event.get("DestUniqueid", ""), event.get("DestChannel", "")
        if channel.startswith(_MEDIA) and unique_id != self._media_id:
            self._set_media(unique_id, channel)
            self._outputs.append(AskMedia(channel))

    def _on_bridge_enter(self, event: Event, now: float) -> None:
        """Somebody comes to be heard by somebody; what we move ourselves is told elsewhere."""
        bridge, unique_id = event.get("BridgeUniqueid", ""), event.get("Uniqueid")
        if self._away or self.transferred:
            return
        if unique_id == self._media_id:
            self._enter(bridge)
            if self._far_gone and self._parked:
                self._wait_parked()
            if event.get("BridgeNumChannels") != "1" and self._far_bridge != bridge:
                self._outputs.append(AskBridge(bridge))
        elif unique_id == self._far_id:
            self._far_bridge = bridge
        elif bridge == self._bridge:
            present = self._far_bridge == bridge and not self._far_gone
            if present and event.get("SwapUniqueid") != self._far_id:
                self._beside = event  # until the far leg leaves the two alone
            else:
                self._talk_with(event, now)

    def _enter(self, bridge: str) -> None:
        self._bridge = bridge
        self._beside = None
        self._outputs.append(Follow(bridge))

    @property
    def _parked(self) -> bool:
        """Whether the media leg has been moved to a bridge without the far leg."""
        moved = self._bridge is not None and self._far_bridge not in (None, self._bridge)
        return moved and self._phase == "answered" and not self._closed

    def _wait_parked(self) -> None:
        """The far leg, which parked us, is gone: somebody else may come, until the call's limit."""
        self._adopt_far_anew(None, None)
        if not self._unwanted:
            self._deadline = None

    def _talk_with(self, channel: Event, now: float) -> None:
        """That channel is in the media leg's bridge in place of the far leg that we knew.

        It is the PBX's own: the call ends with our media leg, and it goes on in the dialplan.
        """
        self._adopt_far_anew(channel.get("Uniqueid"), channel.get("Channel"))
        self._far_bridge = self._bridge
        self._answer(now)
        if not self._unwanted:
            self._deadline = None

    def _on_sent_on(self, event: Event) -> None:
        """The far end transferred the media leg (REFER): it goes on in the PBX's dialplan."""
        if event.get("Result") == "Success":
            self._adopt_far_anew(None, None)
            number = one_line(event.get("Extension"), NUMBER_LENGTH)
            self._parting = f"The far end transferred the call to {number}, where it ended."

    def _adopt_far_anew(self, unique_id: str | None, channel: str | None) -> None:
        self._far_id, self._far_channel = unique_id, channel
        self._far_gone = self._far_leads = False
        self._far_bridge = self._beside = self._q850 = self._sip_code = None
        self._moved = True
        if unique_id is not None:
            self._outputs.append(Follow(unique_id))

    def _adopt_far(self, unique_id: str | None, channel: str | None, now: float) -> None:
        if not unique_id or not channel or unique_id == self._far_id:
            return
        if self._moved and self.answered:
            self._adopt_far_anew(unique_id, channel)
        if self._far_id is not None:
            return
        self._far_id, self._far_channel = unique_id, channel
        self._outputs.append(Follow(unique_id))
        if self._tell(Dialing(now + self._epoch)) and not self._unwanted:
            self._give_up_at = now + self._ring_timeout_s + _RING_GRACE_S
            self._await_response(now)
        if self._call_id is None and not self._by_local:
            self._outputs.append(AskCallId(channel))

    def _await_response(self, now: float) -> None:
        """An INVITE leaves now: look soon whether there is any response to it."""
        patience_s = min(self._invite_timeout_s, self._ring_timeout_s)
        self._deadline = now + min(SILENCE_S, SILENCE_SHARE * patience_s)
        self._invite_over_at = now + self._invite_timeout_s + _INVITE_GRACE_S

    @property
    def _by_local(self) -> bool:
        """Whether the dialplan stands between the far leg and the trunk's."""
        return not self._inbound and (self._far_channel or "").startswith(_LOCAL)

    def _on_beneath_dialled(self, event: Event, now: float) -> None:
        """The dialplan behind the Local channel dials; the latest channel is the trunk's."""
        unique_id, channel = event.get("DestUniqueid", ""), event.get("DestChannel", "")
        if not unique_id or channel.startswith((_LOCAL, _MEDIA)):
            return
        self._all_beneath[unique_id] = channel
        self._outputs.append(Follow(unique_id))
        if self._phase != "dialing":
            return
        self._talk_through(unique_id)
        self._q850 = self._sip_code = None  # of one that was tried before
        self._silent = False
        if self._give_up_at is not None and not self._unwanted:
            self._await_response(now)

    def _on_up(self, event: Event, now: float) -> None:
        """The far leg is answered, or one of those beneath, which is the trunk's from now on."""
        if self._is_far(event):
            self._answer(now)
        elif (unique_id := event.get("Uniqueid", "")) in self._all_beneath:
            self._talk_through(unique_id)

    def _talk_through(self, unique_id: str) -> None:
        if unique_id != self._beneath_id:
            self._beneath_id, self._beneath_channel = unique_id, self._all_beneath[unique_id]
            if is_pjsip(self._beneath_channel):
                self._outputs.append(AskCallId(self._beneath_channel))

    def _note_trunk_cause(self, event: Event) -> None:
        """The trunk's leg ends before the answer; what the dialplan makes of it comes later."""
        if self._phase == "dialing":
            self._note_cause(event)
            self._silent = self._silent and self._sip_code is None

    def _on_dial_end(self, event: Event, now: float) -> None:
        self._dial_status = event.get("DialStatus")
        self._redirected = self._redirected or bool(event.get("Forward"))
        if self._dial_status == "ANSWER":
            self._answer(now)

    def _on_digit(self, event: Event, now: float) -> None:
        # It fires for both legs; what came from the far end is `Received` on the far leg.
        digit = event.get("Digit", "")
        if event.get("Direction") == "Received" and len(digit) == 1:
            duration_ms = whole_number(event.get("DurationMs", "")) or 0
            self._press(digit, duration_ms, now)

    def _on_media_hang_up(self, event: Event, now: float) -> None:
        left = self._media_channel not in (None, event.get("Channel"))
        if left:
            return
        if self._leaves_media:
            self._media_left()
        if self._closed:
            return
        if self._away and not self._far_gone:
            self._media_channel = self._connected_id = None
            self._outputs.append(DisconnectMedia())
            return
        self._close_media()
        if self._far_id is None:
            self._note_cause(event)
        if self._far_gone or self._far_id is None or self._moved:
            self._finish(now)
        else:
            self._deadline = now + LAST_WORD_S

    def _finish(self, now: float) -> None:
        if self._no_codec:
            self._end(causes.without_codec(self._call_id), now)
            return
        # A CANCEL must wait for a provisional response (RFC 3261 section 9.1): until its INVITE is
        # given up, a trunk that was silent may yet ring the number. Another one has to wait.
        if self._silent and not self._wanted_over and now < self._invite_over_at:
            self._deadline = self._invite_over_at
        else:
            super()._finish(now)

    def _on_far_gone(self, now: float) -> None:
        if self._beside is not None:
            self._talk_with(self._beside, now)
            return
        if self._parked:
            self._wait_parked()
            return
        if self._moved and self._far_bridge is None:
            self._adopt_far_anew(None, None)  # the dialplan rang it in vain, and may have more
            return
        self._far_gone = True
        if self._phase == "referring" and not self._unwilling:
            self.transfer(now)
        if self._leaves_media:
            self._drop_media()
        alone = self._media_channel is None and (self._far_leads or self._away)
        if self._closed or alone:
            self._finish(now)
        else:
            # Dial ends by itself now; the deadline is for the day when it does not.
            self._deadline = now + HANG_UP_S

    def _drop_media(self) -> None:
        """Hang up the media leg of which the far leg was taken before Dial had bridged them.

        Nothing else ends it: Dial does not see that it has nobody.
        """
        self._outputs.append(HangUpChannel(self._media_channel or self.id))
        self._media_left()

    def _media_left(self) -> None:
        self._leaves_media, self._media_channel = False, None
        if not self._unwanted:
            self._deadline = None

    @property
    def _unwilling(self) -> bool:
        """Whether the REFER was refused, or we ended the call ourselves.

        Where neither is so, a far end that hangs up has agreed: not every one says so first.
        """
        refused = self._refer_code not in (None, _SIP_SERVER_ERROR)
        return refused or self._unwanted

    def _note_cause(self, event: Event) -> None:
        if self._phase == "answered" and self._is_far(event) and not self._unwanted:
            self._no_codec = whole_number(event.get("TechCause", "")) in _NO_CODEC
        self._q850 = self._q850 or whole_number(event.get("Cause", ""))
        self._sip_code = self._sip_code or whole_number(event.get("TechCause", ""))

    def _is_far(self, event: Event) -> bool:
        """Whether the event is about the far leg (as a dialled leg, or by itself)."""
        if self._far_id is None:
            return False
        if "DestUniqueid" in event:
            return event["DestUniqueid"] == self._far_id
        return event.get("Uniqueid") == self._far_id

    def _is_trunk(self, event: Event) -> bool:
        """Whether the event is about the far leg, or the trunk's beneath it."""
        return self._is_far(event) or event.get("Uniqueid") == self._beneath_id is not None

    @property
    def _by_pbx(self) -> bool:
        # Of a channel that stands for another one, or has come by, less is told.
        alone = is_pjsip(self._far_channel) and self._beneath_id is None and not self._moved
        return alone and self._far_gone and not self._far_asked

    @property
    def _away(self) -> bool:
        return self._phase in ("joining", "referring")

    @property
    def _media_gone(self) -> bool:
        return self._closed and not self.transferred

    def _answer(self, now: float) -> None:
        if not self._tell(Answered(now + self._epoch)):
            return
        if self._by_local:
            self._q850 = self._sip_code = None  # of one that was tried before, in vain
        if self.sip_channel is not None:
            self._outputs.append(Smooth(self.sip_channel))
        if not self._unwanted:
            self._deadline = self._give_up_at = None

    def _hang_up_command(self) -> HangUpChannel:
        # By name where it is known: an id matches a stranger's channel only by design.
        by_far = self._far_leads or self._away or self.transferred
        channel = self._far_channel if by_far else self._media_channel
        return HangUpChannel(channel or self.id)

    def _why_unanswered(self) -> Cause:
        # Dial may hang the far leg of a redirected call up before its SIP code is told.
        moved = _MOVED_TEMPORARILY if self._redirected else None
        word = self._dial_status
        return causes.unanswered(
            sip_code=self._sip_code or moved,
            q850=self._q850,
            dial_status=None if self._by_local and word in _OF_DIALPLAN else word,
            alerted=self._alerted,
            silent=self._silent,
            sip_call_id=self._call_id,
        )


def trunk_stats(quality: str) -> TrunkStats:
    """What Asterisk counted, of its summary of a stream: `ssrc=…;lp=3;rxjitter=0.01;…`.

    Its `txjitter` is of what it received, for it is what its own reports say; `rxjitter` and `rlp`
    are of the far end's. Where that sent none, they and the round trip are 0, which none of them
    is for long on a line.

    A far end that begins its numbers anew, as some do after a hold, is taken by Asterisk for one
    that lost all those between: that shows as nearly 65536, which no real line loses.
    """
    found = dict(re.findall(r"(\w+)=(\d+(?:\.\d+)?)(?:;|$)", quality))
    counts = ("rxcount", "txcount", "lp", "rlp")
    count = {name: int(float(found[name])) for name in counts if name in found}
    s = {name: float(found.get(name, "0")) for name in ("rxjitter", "txjitter", "rtt")}
    reported = "rlp" in count and (count["rlp"] > 0 or s["rxjitter"] > 0 or s["rtt"] > 0)
    return TrunkStats(
        received=count.get("rxcount"),
        lost=None if "lp" not in count else max(0, sequence_delta(count["lp"], 0)),
        sent=count.get("txcount"),
        jitter_ms=s["txjitter"] * 1000 if "txjitter" in found else None,
        reported_lost=max(0, sequence_delta(count["rlp"], 0)) if reported else None,
        reported_jitter_ms=s["rxjitter"] * 1000 if reported else None,
        round_trip_ms=s["rtt"] * 1000 if s["rtt"] > 0 else None,
    )


def _report(event: Event) -> FarEndReport:
    """A report of the far end's (RTCP), of the event `RTCPReceived`."""
    blocks = whole_number(event.get("ReportCount", "")) or 0
    lost = whole_number(event.get("Report0FractionLost", "")) if blocks else None
    return FarEndReport(blocks > 0, None if lost is None else lost / 256)


def trunk_audio(quality: str) -> TrunkAudio | None:
    """What Asterisk has had, of the same summary: with `rxjitter`, `rlp` and `rtt` as reported."""
    fields = dict(re.findall(r"(\w+)=([^;]*)", quality))
    if not fields.get("rxcount", "").isdecimal():
        return None
    reports = ";".join(fields.get(name, "") for name in ("rxjitter", "rlp", "rtt"))
    return TrunkAudio(int(fields["rxcount"]), reports)


def is_pjsip(channel: str | None) -> TypeGuard[str]:
    """Whether a channel by that name knows of SIP and RTP itself."""
    return channel is not None and channel.startswith("PJSIP/")


def _is_media(event: Event) -> bool:
    """Whether the event is about a media leg."""
    return event.get("Channel", "").startswith(_MEDIA)
