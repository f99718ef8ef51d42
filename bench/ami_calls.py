"""One outbound call as Asterisk's manager events tell it, header for header; no I/O.

The wording is that of Asterisk 22 for a UnicastRTP channel that runs Dial over PJSIP, as recorded
in `tests/pbx/recordings`; `tests/bench/test_ami_peer.py` compares.
"""

from dataclasses import dataclass
from typing import Final

EOL: Final = "\r\n"

_STATES: Final = {0: "Down", 5: "Ringing", 6: "Up"}
_CAUSES: Final = {
    0: "Unknown",
    16: "Normal Clearing",
    17: "User busy",
    34: "Circuit/channel congestion",
}


@dataclass
class Channel:
    """What every event says of a channel."""

    name: str
    unique_id: str
    linked_id: str
    context: str
    number: str
    connected: str
    state: int = 0
    """0 down, 5 ringing, 6 up."""

    def headers(self, prefix: str = "") -> str:
        """Its headers; `prefix` is `Dest` for the channel that is dialled."""
        p = prefix
        return (
            f"{p}Channel: {self.name}{EOL}"
            f"{p}ChannelState: {self.state}{EOL}"
            f"{p}ChannelStateDesc: {_STATES[self.state]}{EOL}"
            f"{p}CallerIDNum: {self.number}{EOL}"
            f"{p}CallerIDName: <unknown>{EOL}"
            f"{p}ConnectedLineNum: {self.connected}{EOL}"
            f"{p}ConnectedLineName: <unknown>{EOL}"
            f"{p}Language: en{EOL}"
            f"{p}AccountCode: {EOL}"
            f"{p}Context: {self.context}{EOL}"
            f"{p}Exten: s{EOL}"
            f"{p}Priority: 1{EOL}"
            f"{p}Uniqueid: {self.unique_id}{EOL}"
            f"{p}Linkedid: {self.linked_id}{EOL}"
        )


class Call:
    """A media leg that dials a far leg. Each method gives the events of what it does.

    Args:
        channel_id: of the media leg, as the Originate chose it.
        audio: what the Originate dials, `UnicastRTP/host:port/c(ulaw)`.
        number: that Dial calls.
        trunk: PJSIP endpoint.
        port: UDP port of the media leg on this side.
        serial: number of this call on this PBX.
        caller: caller ID number.
        dialled: the whole of what Dial was told.
    """

    def __init__(
        self,
        *,
        channel_id: str,
        audio: str,
        number: str,
        trunk: str,
        port: int,
        serial: int,
        caller: str,
        dialled: str,
    ) -> None:
        self._audio = audio.partition("/")[2]
        self._number = f"{number}@{trunk}"
        self._port = port
        self._caller = caller
        self._dialled = dialled
        unknown = "<unknown>"
        host = self._audio.partition("/")[0]
        self.media = Channel(
            f"UnicastRTP/{host}-0x{serial:012x}",
            channel_id,
            channel_id,
            "default",
            unknown,
            unknown,
        )
        self.far = Channel(
            f"PJSIP/{trunk}-{serial:08x}",
            f"1700000000.{serial}",
            channel_id,
            "from-trunk",
            unknown,
            unknown,
        )
        self.call_id = f"{serial:032x}"
        """SIP Call-ID."""

    @property
    def id(self) -> str:
        """Unique id of the media leg."""
        return self.media.unique_id

    @property
    def answered(self) -> bool:
        return self.far.state == 6

    def begin(self) -> str:
        """The media leg comes up and dials."""
        media, far = self.media, self.far
        told = [_event("Newchannel", media.headers())]
        for variable, value in (("ADDRESS", "127.0.0.1"), ("PORT", str(self._port))):
            setting = f"Variable: UNICASTRTP_LOCAL_{variable}{EOL}Value: {value}{EOL}"
            told.append(_event("VarSet", media.headers() + setting, "dialplan"))
        media.number = media.connected = self._caller
        told.append(_event("DialBegin", media.headers("Dest") + f"DialString: {self._audio}{EOL}"))
        media.state = 6
        told += [
            _event("Newstate", media.headers()),
            _event("DialEnd", media.headers("Dest") + f"DialStatus: ANSWER{EOL}"),
            _event(
                "OriginateResponse",
                f"ActionID: {self.id}{EOL}Response: Success{EOL}Channel: {media.name}{EOL}"
                f"Application: Dial{EOL}Data: {self._dialled}{EOL}Reason: 4{EOL}"
                f"Uniqueid: {self.id}{EOL}CallerIDNum: {self._caller}{EOL}"
                f"CallerIDName: <unknown>{EOL}",
            ),
            _event("Newchannel", far.headers()),
        ]
        far.number, far.connected = "s", self._caller
        told.append(self._dial("Begin", f"DialString: {self._number}"))
        media.connected = "s"
        return "".join(told)

    def ring(self) -> str:
        """The far end alerts (SIP 180)."""
        self.far.state = 5
        ringing = _event("Newstate", self.far.headers())
        return ringing + self._dial("State", "DialStatus: RINGING")

    def answer(self) -> str:
        """The far end picks up (SIP 200)."""
        self.far.state = 6
        return _event("Newstate", self.far.headers()) + self._dial("End", "DialStatus: ANSWER")

    def end(self, cause: int, sip_code: int | None = None, dial_status: str | None = None) -> str:
        """The far end hangs up, or refuses.

        Args:
            cause: Q.850.
            sip_code: of the refusal.
            dial_status: what Dial makes of a call that was not answered.
        """
        told = [_event("HangupRequest", self.far.headers() + _why(cause, sip_code, text=False))]
        if dial_status is not None:
            told.append(self._dial("End", f"DialStatus: {dial_status}"))
        told += [
            _event("Hangup", self.far.headers() + _why(cause, sip_code)),
            _event("Hangup", self.media.headers() + _why(cause)),
        ]
        return "".join(told)

    def give_up(self, dial_status: str) -> str:
        """Dial ends before the answer: NOANSWER when its time is over, CANCEL on a hang-up."""
        return (
            self._dial("End", f"DialStatus: {dial_status}")
            + _event("Hangup", self.media.headers() + _why(0))
            + _event("Hangup", self.far.headers() + _why(0 if dial_status == "NOANSWER" else 16))
        )

    def hang_up(self) -> str:
        """The manager hangs up."""
        if not self.answered:
            return self.give_up("CANCEL")
        why = _why(16)
        return _event("Hangup", self.media.headers() + why) + _event(
            "Hangup", self.far.headers() + why
        )

    def listed(self, action_id: str) -> str:
        """Both channels as `CoreShowChannels` lists them."""
        bridge = "00000000-0000-4000-8000-000000000000" if self.answered else ""
        both = (
            (self.far, "AppDial", "(Outgoing Line)"),
            (self.media, "Dial", self._dialled),
        )
        return "".join(
            f"Event: CoreShowChannel{EOL}ActionID: {action_id}{EOL}{channel.headers()}"
            f"Application: {name}{EOL}ApplicationData: {data}{EOL}"
            f"Duration: 00:00:00{EOL}BridgeId: {bridge}{EOL}{EOL}"
            for channel, name, data in both
        )

    def _dial(self, step: str, last: str) -> str:
        both = self.media.headers() + self.far.headers("Dest")
        return _event(f"Dial{step}", f"{both}{last}{EOL}")


def _event(name: str, headers: str, privilege: str = "call") -> str:
    return f"Event: {name}{EOL}Privilege: {privilege},all{EOL}{headers}{EOL}"


def _why(cause: int, sip_code: int | None = None, *, text: bool = True) -> str:
    words = f"Cause-txt: {_CAUSES[cause]}{EOL}" if text else ""
    tech = f"TechCause: {sip_code}{EOL}" if sip_code is not None else ""
    return f"Cause: {cause}{EOL}{words}{tech}"
