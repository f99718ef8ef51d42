"""Further far ends and callers for SIPp, put together of a few steps: each is a whole scenario.

`scenarios/` has those that were written down; these vary what lines do in one thing at a time.
"""

from collections.abc import Mapping
from typing import Final

_HEADERS: Final = """\
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]{fork}
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
"""
_LATER: Final = """\
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0
"""
_OURS: Final = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
{parties}
CSeq: {cseq} {cseq_method}
Contact: <sip:sipp@[local_ip]:[local_port]>
"""
_ANY_PARTIES: Final = "(the two parties of the call)"
_ANY_TARGET: Final = "sip:target.invalid"
_CALLED_PARTIES: Final = """\
From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
To[$from]
[last_Call-ID:]"""
_CALLER: Final = 'From: "Lab" <sip:+15550001234@[local_ip]:[local_port]>;tag=[pid]x[call_number]'
_CALLING_PARTIES: Final = f"""\
{_CALLER}
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]"""
_NAMES: Final = {
    "0": "PCMU/8000",
    "3": "GSM/8000",
    "8": "PCMA/8000",
    "18": "G729/8000",
    "96": "opus/48000/2",
    "97": "speex/8000",
    "101": "telephone-event/8000",
}

INVITED: Final = """\
<recv request="INVITE" crlf="true"><action>
<ereg regexp=":.*" search_in="hdr" header="From" assign_to="from"/>
<ereg regexp="sip:[^;&gt;]*" search_in="hdr" header="Contact:" assign_to="target"/>
</action></recv>"""
_INVITED_AND_NOTED: Final = INVITED.replace(
    "</action>",
    "".join(
        f'<ereg regexp=":.*" search_in="hdr" header="{name}" assign_to="{name.lower()}"/>'
        for name in ("Via", "CSeq")
    )
    + '<ereg regexp=":.*" search_in="hdr" header="To" assign_to="to"/></action>',
)
ACK: Final = '<recv request="ACK"/>'
UNTIL_BYE: Final = (
    '<recv request="BYE" timeout="60000" ontimeout="out"/>'
    f"<send><![CDATA[\nSIP/2.0 200 OK\n{_LATER}\n]]></send>"
)
TALK: Final = "talk_alaw"
_REFUSALS: Final = (404, 480, 486, 488, 500, 503)
_END: Final = '<nop next="end"/>'


def sdp(
    mode: str = "sendrecv",
    *,
    types: str = "8 101",
    address: str = "[media_ip]",
    port: str = "[media_port]",
    version: int = 1,
    lines: str = "",
) -> str:
    """A session description; `lines` are further ones of its audio."""
    names = "".join(f"a=rtpmap:{one} {_NAMES[one]}\n" for one in types.split() if one in _NAMES)
    return (
        f"v=0\no=sipp 1 {version} IN IP4 [local_ip]\ns=-\nc=IN IP4 {address}\nt=0 0\n"
        f"m=audio {port} RTP/AVP {types}\n{names}a={mode}\n{lines}"
    )


def pause(milliseconds: int) -> str:
    return f'<pause milliseconds="{milliseconds}"/>'


def play(*pcaps: str) -> str:
    """RTP from now on, each file beside what comes after."""
    return "".join(
        f'<nop><action><exec play_pcap_audio="pcap/{one}.pcap"/></action></nop>' for one in pcaps
    )


def respond(status: str, body: str = "", *, headers: str = "", fork: str = "") -> str:
    """A response to the INVITE; `fork` makes it one of another far end."""
    resent = ' retrans="500"' if status.startswith("2") else ""
    kind = "Content-Type: application/sdp\n" if body else ""
    head = _HEADERS.format(fork=fork)
    text = f"SIP/2.0 {status}\n{head}{headers}{kind}Content-Length: [len]\n\n{body}"
    return f"<send{resent}><![CDATA[\n{text}\n]]></send>"


def request(
    method: str,
    cseq: int,
    body: str = "",
    *,
    kind: str = "application/sdp",
    headers: str = "",
    answer: str = "200",
) -> str:
    """A request within the call, and its answer; None is waited for no answer."""
    own = _OURS.format(parties=_ANY_PARTIES, cseq=cseq, cseq_method=method)
    kind = f"Content-Type: {kind}\n" if body else ""
    text = f"{method} {_ANY_TARGET} SIP/2.0\n{own}{headers}{kind}Content-Length: [len]\n\n{body}"
    steps = [
        f'<send retrans="500"><![CDATA[\n{text}\n]]></send>',
        '<recv response="100" optional="true"/>',
        f'<recv response="{answer}"/>',
    ]
    if method == "INVITE":
        ack = _OURS.format(parties=_ANY_PARTIES, cseq=cseq, cseq_method="ACK")
        steps.append(
            f"<send><![CDATA[\nACK {_ANY_TARGET} SIP/2.0\n{ack}Content-Length: 0\n\n]]></send>"
        )
    return "".join(steps)


def info(cseq: int, key: str, kind: str = "application/dtmf-relay") -> str:
    """A key, as either kind of INFO has it."""
    relay = f"Signal={key}\nDuration=160\n"
    return request("INFO", cseq, relay if kind.endswith("relay") else key, kind=kind)


def answered(body: str = "", *, ringing: bool = True) -> str:
    """It rings for a moment, and is answered."""
    rings = respond("180 Ringing") + pause(200) if ringing else ""
    return rings + respond("200 OK", body or sdp()) + ACK


def far_end(*steps: str, begin: str = INVITED, noted: str = "") -> str:
    """The whole scenario of one that is called; `begin` may note more of the INVITE."""
    inner = "\n".join((begin, *steps)).replace(_ANY_PARTIES, _CALLED_PARTIES)
    return _whole(
        inner.replace(_ANY_TARGET, "[$target]")
        + f'<label id="out"/><Reference variables="from,target{noted}"/>'
    )


def caller(*steps: str, offer: str = "", headers: str = "") -> str:
    """The whole scenario of one that calls, and is answered or refused; then come the steps.

    Args:
        steps: once it is answered.
        offer: its session description, where that is not an everyday one.
        headers: further ones of its INVITE.
    """
    inner = "\n".join((call(offer or sdp(), headers), taken(), *steps, _END, _refused()))
    return calling(inner)


def calling(inner: str) -> str:
    """The whole scenario of one that calls, whatever comes of it."""
    target = "sip:[service]@[remote_ip]:[remote_port]"
    return _whole(
        inner.replace(_ANY_PARTIES, _CALLING_PARTIES).replace(_ANY_TARGET, target)
        + '<label id="end"/>'
    )


def call(offer: str, headers: str = "") -> str:
    """The INVITE."""
    own = _OURS.format(parties=_ANY_PARTIES, cseq=1, cseq_method="INVITE")
    kind = "Content-Type: application/sdp\n"
    return (
        f'<send retrans="500"><![CDATA[\nINVITE {_ANY_TARGET} SIP/2.0\n{own}{headers}{kind}'
        f"Content-Length: [len]\n\n{offer}\n]]></send>"
    )


def taken(answer: str = "200", *, acknowledged: bool = True) -> str:
    """What it is answered, or a refusal: that goes to `_refused()`."""
    lines = [f'<recv response="{one}" optional="true"/>' for one in (100, 180, 183)]
    lines += [f'<recv response="{one}" optional="true" next="refused"/>' for one in _REFUSALS]
    lines.append(f'<recv response="{answer}"/>')
    return "".join(lines) + (_ack() if acknowledged else "")


def _ack() -> str:
    own = _OURS.format(parties=_ANY_PARTIES, cseq=1, cseq_method="ACK")
    return f"<send><![CDATA[\nACK {_ANY_TARGET} SIP/2.0\n{own}Content-Length: 0\n\n]]></send>"


def _refused() -> str:
    return f'<label id="refused"/>{_ack()}'


def _whole(inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="one">\n{inner}\n</scenario>\n'


def hold(body: str, seconds: float, *playing: str, again: str = TALK) -> str:
    """Hold by that description, so long, and resume."""
    return (
        request("INVITE", 10, body)
        + play(*playing)
        + pause(round(seconds * 1000))
        + request("INVITE", 11, sdp(version=3))
        + play(again)
    )


_TALKS: Final = answered() + play(TALK)
_BYE: Final = request("BYE", 30)

FAR_ENDS: Final[Mapping[str, str]] = {
    # Answers.
    "183_then_486": far_end(
        respond("183 Session Progress", sdp()),
        play("early"),
        pause(1500),
        respond("486 Busy Here", headers="Reason: Q.850;cause=17\n"),
        ACK,
    ),
    "early_then_480": far_end(
        respond("183 Session Progress", sdp()),
        play("music"),
        pause(9000),
        respond("480 Temporarily Unavailable", headers='Reason: Q.850;cause=20;text="off"\n'),
        ACK,
    ),
    "180_forks": far_end(
        respond("180 Ringing", fork="a"),
        pause(200),
        respond("183 Session Progress", sdp(), fork="b"),
        pause(200),
        respond("180 Ringing", fork="c"),
        pause(200),
        respond("200 OK", sdp(), fork="c"),
        ACK,
        play(TALK),
        UNTIL_BYE,
    ),
    "180_with_sdp": far_end(
        respond("180 Ringing", sdp()),
        play("early"),
        pause(1500),
        answered(ringing=False),
        play(TALK),
        UNTIL_BYE,
    ),
    "182_queued": far_end(respond("182 Queued"), pause(300), _TALKS, UNTIL_BYE),
    "200_no_sdp": far_end(respond("180 Ringing"), respond("200 OK"), ACK, UNTIL_BYE),
    "200_port_0": far_end(answered(sdp(port="0")), UNTIL_BYE),
    "200_zero_address": far_end(answered(sdp(address="0.0.0.0")), UNTIL_BYE),
    "200_at_once": far_end(answered(ringing=False), play(TALK), UNTIL_BYE),
    "200_from_another_port": far_end(answered(sdp(port="9000")), play(TALK), UNTIL_BYE),
    "200_recvonly": far_end(answered(sdp("recvonly")), UNTIL_BYE),
    "200_video_too": far_end(answered(sdp(lines="m=video 0 RTP/AVP 96\n")), play(TALK), UNTIL_BYE),
    # It answers as it is canceled: its 200 and our CANCEL cross.
    "cancel_crosses": far_end(
        respond("180 Ringing"),
        '<recv request="CANCEL"/>',
        f"<send><![CDATA[\nSIP/2.0 200 OK\n{_LATER}\n]]></send>",
        respond("200 OK", sdp())
        .replace("[last_Via:]", "Via[$via]")
        .replace("[last_From:]", "From[$from]")
        .replace("[last_To:]", "To[$to]")
        .replace("[last_CSeq:]", "CSeq[$cseq]"),
        ACK,
        UNTIL_BYE,
        begin=_INVITED_AND_NOTED,
        noted=",via,cseq,to",
    ),
    # The end.
    "bye_reason": far_end(
        _TALKS, pause(1500), request("BYE", 30, headers='Reason: Q.850;cause=31;text="x"\n')
    ),
    "bye_reason_41": far_end(
        _TALKS, pause(1500), request("BYE", 30, headers="Reason: Q.850;cause=41\n")
    ),
    "bye_reason_sip": far_end(
        _TALKS,
        pause(1500),
        request("BYE", 30, headers='Reason: SIP;cause=200;text="Call completed elsewhere"\n'),
    ),
    "bye_cause_26": far_end(
        _TALKS, pause(1500), request("BYE", 30, headers="Reason: Q.850;cause=26\n")
    ),
    "480_cause_26": far_end(
        respond("180 Ringing"),
        pause(300),
        respond("480 Temporarily Unavailable", headers="Reason: Q.850;cause=26\n"),
        ACK,
    ),
    # Within the call.
    "reinvite_same": far_end(_TALKS, pause(2500), request("INVITE", 10, sdp(version=2)), UNTIL_BYE),
    "reinvite_no_sdp": far_end(_TALKS, pause(2500), request("INVITE", 10), UNTIL_BYE),
    "update_same": far_end(_TALKS, pause(2500), request("UPDATE", 10, sdp(version=2)), UNTIL_BYE),
    "update_hold": far_end(
        _TALKS,
        pause(2500),
        request("UPDATE", 10, sdp("sendonly", version=2)),
        pause(2500),
        request("UPDATE", 11, sdp(version=3)),
        play(TALK),
        UNTIL_BYE,
    ),
    "reinvite_address": far_end(
        _TALKS,
        pause(3000),
        request("INVITE", 10, sdp(version=2, port="9002")),
        play(TALK),
        UNTIL_BYE,
    ),
    "reinvite_ulaw": far_end(
        _TALKS,
        pause(6500),
        request("INVITE", 10, sdp(version=2, types="0 101")),
        play("talk_ulaw"),
        UNTIL_BYE,
    ),
    # Hold.
    "hold_inactive": far_end(_TALKS, pause(2500), hold(sdp("inactive", version=2), 3), UNTIL_BYE),
    "hold_zero": far_end(
        _TALKS, pause(2500), hold(sdp(version=2, address="0.0.0.0"), 3), UNTIL_BYE
    ),
    "hold_twice": far_end(
        _TALKS,
        pause(2500),
        request("INVITE", 5, sdp("sendonly", version=2)),
        pause(500),
        request("INVITE", 6, sdp("sendonly", version=3)),
        pause(1500),
        request("INVITE", 7, sdp(version=4)),
        play(TALK),
        pause(1500),
        hold(sdp("sendonly", version=5), 2),
        UNTIL_BYE,
    ),
    "hold_speaks": far_end(
        _TALKS, pause(2500), hold(sdp("sendonly", version=2), 4, "chat"), UNTIL_BYE
    ),
    "hold_bye": far_end(
        _TALKS, pause(2500), request("INVITE", 10, sdp("sendonly", version=2)), pause(2000), _BYE
    ),
    # Audio.
    "p10": far_end(answered(sdp(lines="a=ptime:10\n")), play("talk_p10"), UNTIL_BYE),
    "p40": far_end(answered(sdp(lines="a=ptime:40\n")), play("talk_p40"), UNTIL_BYE),
    "sources": far_end(answered(), play("sources"), UNTIL_BYE),
    "wrap": far_end(answered(), play("wrap"), UNTIL_BYE),
    "only_noise": far_end(answered(), play("only_noise"), UNTIL_BYE),
    "stops": far_end(answered(), play("short"), UNTIL_BYE),
    "fax_called": far_end(answered(), play("fax_called"), UNTIL_BYE),
    # Keys.
    "keys_lost_ends": far_end(answered(), play("keys_lost_ends"), UNTIL_BYE),
    "keys_all": far_end(answered(), play("keys_all"), UNTIL_BYE),
    "keys_repeated": far_end(answered(), play("keys_repeated"), UNTIL_BYE),
    "keys_overlap": far_end(answered(), play("keys_overlap"), UNTIL_BYE),
    "keys_doubled": far_end(answered(), play("keys_doubled"), UNTIL_BYE),
    # Both ways at once, as phones can be set up: from 1 s on.
    "keys_both": far_end(
        answered(),
        play("keys_slow"),
        pause(1000),
        *(info(10 + at, key) + pause(985) for at, key in enumerate("159")),
        UNTIL_BYE,
    ),
    "keys_early": far_end(
        respond("183 Session Progress", sdp()),
        play("keys_all"),
        pause(9000),
        answered(ringing=False),
        UNTIL_BYE,
    ),
    "keys_info": far_end(
        answered(),
        play("quiet"),
        pause(500),
        *(info(10 + at, key) + pause(250) for at, key in enumerate("1*#AD")),
        *(info(20 + at, key, "application/dtmf") + pause(250) for at, key in enumerate("2*0")),
        UNTIL_BYE,
    ),
}
CALLERS: Final[Mapping[str, str]] = {
    "c_talk": caller(play(TALK), pause(9000), _BYE),
    # INVITEs.
    "c_no_ack": calling(
        call(sdp())
        + taken(acknowledged=False)
        + play(TALK)
        + '<recv request="BYE" timeout="40000" ontimeout="end"/>'
        + f"<send><![CDATA[\nSIP/2.0 200 OK\n{_LATER}\n]]></send>{_END}{_refused()}"
    ),
    "c_hold_at_once": caller(
        play("music"),
        pause(3000),
        request("INVITE", 2, sdp(version=2)),
        play(TALK),
        pause(3000),
        _BYE,
        offer=sdp("sendonly"),
    ),
    "c_dynamic_first": caller(
        play(TALK),
        pause(3000),
        _BYE,
        offer=sdp(types="96 97 18 3 8 0 101"),
    ),
    "c_video_too": caller(
        play(TALK),
        pause(3000),
        _BYE,
        offer=sdp(lines="m=video 9000 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
    ),
    "c_only_t38": calling(
        call(sdp().replace("m=audio [media_port] RTP/AVP 8 101", "m=image [media_port] udptl t38"))
        + taken("488", acknowledged=False)
        + _ack()
        + _END
        + _refused()
    ),
    "c_timer": caller(
        play(TALK),
        pause(4000),
        _BYE,
        headers="Supported: timer\nSession-Expires: 90;refresher=uas\nMin-SE: 90\n",
    ),
    "c_requires": calling(
        call(sdp(), "Require: offhook-unheard-of\n")
        + taken("420", acknowledged=False)
        + _ack()
        + _END
        + _refused()
    ),
    # Within the call.
    "c_reinvite_no_sdp": caller(play(TALK), pause(1500), request("INVITE", 2), pause(3000), _BYE),
    "c_hold_inactive": caller(
        play(TALK), pause(2000), hold(sdp("inactive", version=2), 2), pause(2500), _BYE
    ),
    "c_hold_zero": caller(
        play(TALK), pause(2000), hold(sdp(version=2, address="0.0.0.0"), 2), pause(2500), _BYE
    ),
    "c_hold_bye": caller(
        play(TALK),
        pause(1500),
        request("INVITE", 10, sdp("sendonly", version=2)),
        pause(2000),
        _BYE,
    ),
    "c_update_hold": caller(
        play(TALK),
        pause(2000),
        request("UPDATE", 10, sdp("sendonly", version=2)),
        pause(2000),
        request("UPDATE", 11, sdp(version=3)),
        play(TALK),
        pause(2500),
        _BYE,
    ),
    # Audio.
    "c_p10": caller(play("talk_p10"), pause(4000), _BYE, offer=sdp(lines="a=ptime:10\n")),
    "c_p40": caller(play("talk_p40"), pause(4000), _BYE, offer=sdp(lines="a=ptime:40\n")),
    "c_sources": caller(play("sources"), pause(12_000), _BYE),
    "c_wrap": caller(play("wrap"), pause(9000), _BYE),
    "c_only_noise": caller(play("only_noise"), pause(15_000), _BYE),
    "c_stops": caller(play("short"), pause(15_000), _BYE),
    "c_no_rtp": caller(pause(15_000), _BYE),
    # Keys.
    "c_keys_lost_ends": caller(play("keys_lost_ends"), pause(5000), _BYE),
    "c_keys_all": caller(play("keys_all"), pause(8000), _BYE),
    "c_keys_repeated": caller(play("keys_repeated"), pause(4000), _BYE),
    "c_keys_overlap": caller(play("keys_overlap"), pause(4000), _BYE),
    "c_keys_doubled": caller(play("keys_doubled"), pause(5000), _BYE),
    "c_keys_both": caller(
        play("keys_slow"),
        pause(1000),
        *(info(10 + at, key) + pause(985) for at, key in enumerate("159")),
        pause(1500),
        _BYE,
    ),
    "c_keys_info": caller(
        play("quiet"), *(info(10 + at, key) + pause(250) for at, key in enumerate("1*#AD")), _BYE
    ),
}
SHORT: Final = {**FAR_ENDS, **CALLERS}
