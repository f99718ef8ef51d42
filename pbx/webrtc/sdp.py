"""Offers and answers (RFC 8866, RFC 9429) of one bidirectional audio stream. No I/O.

Everything in an offer comes from outside: what is not understood is refused with a reason, and
what is taken over into an answer is one of our own words, a number, or a checked token.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal

#: Bytes of an offer; browsers' have 2 to 6 thousand with audio alone.
LONGEST: Final = 65_536
_SECTIONS: Final = 16
_CANDIDATES: Final = 32
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]{1,64}")
_ICE: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_FINGERPRINT: Final = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){19,63}")
_NUMBERS: Final = re.compile(r"[0-9]{1,10} [0-9]{1,5}")
_HASHES: Final = frozenset({"sha-256", "sha-384", "sha-512"})
_PROFILES: Final = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"})
#: RFC 3551, of those that we speak.
_STATIC: Final = {0: ("PCMU", 8000), 8: ("PCMA", 8000)}
_CODECS: Final = {("OPUS", 48000): "opus", ("PCMU", 8000): "PCMU", ("PCMA", 8000): "PCMA"}

CodecName = Literal["opus", "PCMU", "PCMA"]
Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Role = Literal["active", "passive"]


class OfferError(ValueError):
    """The offer cannot be answered; the message says why."""


@dataclass(frozen=True)
class Candidate:
    """Where the other side may be reached (RFC 8839)."""

    foundation: str
    priority: int
    host: str
    """An IP address, or a name that ends in `.local`."""
    port: int
    kind: str


@dataclass(frozen=True)
class Offer:
    """What the other side offers for its audio."""

    index: int
    """Of the audio among its media."""
    media: tuple[tuple[str, str, str | None], ...]
    """Kind, profile and `mid` of each of them: an answer has as many."""
    codec: CodecName
    payload_type: int
    clock: int
    channels: int
    events: int | None
    """Payload type of telephone events (RFC 4733)."""
    events_clock: int
    direction: Direction
    role: Role
    """Of ours in DTLS."""
    lite: bool
    username: str
    password: str = field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]
    """Hash and value."""
    candidates: tuple[Candidate, ...]

    @property
    def hears(self) -> bool:
        """Whether it wants our audio."""
        return self.direction in ("sendrecv", "recvonly")

    @property
    def speaks(self) -> bool:
        """Whether it has audio for us."""
        return self.direction in ("sendrecv", "sendonly")


@dataclass(frozen=True)
class Ours:
    """What an answer tells of us."""

    username: str
    password: str = field(repr=False)
    fingerprints: Sequence[tuple[str, str]]
    candidates: Sequence[str]
    """As `a=candidate:` writes them."""
    ssrc: int
    stereo: bool = False


class _Section:
    def __init__(self, lines: list[str], head: str = "") -> None:
        self.head = head
        self.lines = lines

    def values(self, name: str) -> list[str]:
        return [line[len(name) + 3 :] for line in self.lines if line.startswith(f"a={name}:")]

    def value(self, name: str) -> str | None:
        return next(iter(self.values(name)), None)

    def has(self, flag: str) -> bool:
        return f"a={flag}" in self.lines


def read_offer(text: str, codecs: Sequence[CodecName] = ("opus", "PCMU", "PCMA")) -> Offer:
    """Read an offer.

    Args:
        text: SDP.
        codecs: those that may be spoken; the offer's order decides.

    Raises OfferError.
    """
    if len(text) > LONGEST:
        raise OfferError(f"it has more than {LONGEST} characters")
    session, media = _split(text)
    index = next((i for i, one in enumerate(media) if one.head.startswith("audio ")), None)
    if index is None:
        raise OfferError("it offers no audio")
    heads = []
    for one in media:
        fields, mid = one.head.split(" "), one.value("mid")
        if len(fields) < 4 or (mid is not None and not _TOKEN.fullmatch(mid)):
            raise OfferError("a line m= or a=mid: is malformed")
        heads.append((_token(fields[0]), fields[2], mid))
    audio = media[index]
    fields = audio.head.split(" ")
    if fields[2] not in _PROFILES:
        raise OfferError("its audio is not for DTLS-SRTP (UDP/TLS/RTP/SAVPF)")
    if fields[1] == "0" and not audio.has("bundle-only"):
        raise OfferError("its audio is turned off (port 0)")
    if not audio.has("rtcp-mux"):
        raise OfferError("it does without a=rtcp-mux")
    username, password = _either(session, audio, "ice-ufrag"), _either(session, audio, "ice-pwd")
    if not _ICE.fullmatch(username) or not _ICE.fullmatch(password):
        raise OfferError("a=ice-ufrag or a=ice-pwd is malformed")
    payload_type, codec, clock, channels, known = _codec(audio, fields[3:], codecs)
    events = next(
        (
            (number, rate)
            for wanted in (clock, 8000)
            for number, (name, rate, _) in known.items()
            if name == "TELEPHONE-EVENT" and rate == wanted
        ),
        None,
    )
    names: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")
    direction = next(
        (name for part in (audio, session) for name in names if part.has(name)), names[0]
    )
    if direction == "inactive":
        raise OfferError("its audio is inactive")
    setup = audio.value("setup") or session.value("setup")
    if setup not in ("actpass", "active", "passive"):
        raise OfferError("a=setup must be actpass, active or passive")
    return Offer(
        index=index,
        media=tuple(heads),
        codec=codec,
        payload_type=payload_type,
        clock=clock,
        channels=channels,
        events=None if events is None else events[0],
        events_clock=8000 if events is None else events[1],
        direction=direction,
        role="passive" if setup == "active" else "active",
        lite=session.has("ice-lite"),
        username=username,
        password=password,
        fingerprints=_fingerprints(session, audio),
        candidates=_candidates(audio),
    )


def write_answer(offer: Offer, ours: Ours) -> str:
    """Write the answer to an offer: its audio is taken, all else refused."""
    lines = [
        "v=0",
        f"o=- {ours.ssrc} 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
    ]
    mid = offer.media[offer.index][2]
    if mid is not None:
        lines.append(f"a=group:BUNDLE {mid}")
    for index, (kind, profile, name) in enumerate(offer.media):
        if index == offer.index:
            lines += _audio(offer, ours, profile)
        else:
            # What is refused repeats the offer's kind and profile (RFC 3264 section 6).
            sort = "webrtc-datachannel" if kind == "application" else "0"
            lines += [f"m={kind} 0 {_profile(profile)} {sort}", "c=IN IP4 0.0.0.0", "a=inactive"]
            if name is not None:
                lines.append(f"a=mid:{name}")
    return "\r\n".join(lines) + "\r\n"


def _audio(offer: Offer, ours: Ours, profile: str) -> list[str]:
    types = [str(offer.payload_type)] + ([] if offer.events is None else [str(offer.events)])
    back = {"recvonly": "sendonly", "sendonly": "recvonly"}.get(offer.direction, "sendrecv")
    name = f"opus/48000/{offer.channels}" if offer.codec == "opus" else f"{offer.codec}/8000"
    lines = [
        f"m=audio 9 {profile} {' '.join(types)}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{ours.username}",
        f"a=ice-pwd:{ours.password}",
        *(f"a=fingerprint:{kind} {value}" for kind, value in ours.fingerprints),
        f"a=setup:{offer.role}",
    ]
    if (mid := offer.media[offer.index][2]) is not None:
        lines.append(f"a=mid:{mid}")
    lines += [f"a={back}", "a=rtcp-mux", f"a=rtpmap:{offer.payload_type} {name}"]
    if offer.codec == "opus":
        stereo = ";stereo=1;sprop-stereo=1" if ours.stereo else ""
        lines.append(f"a=fmtp:{offer.payload_type} minptime=20;useinbandfec=0{stereo}")
    if offer.events is not None:
        lines += [
            f"a=rtpmap:{offer.events} telephone-event/{offer.events_clock}",
            f"a=fmtp:{offer.events} 0-15",
        ]
    lines += ["a=ptime:20", f"a=ssrc:{ours.ssrc} cname:offhook", "a=msid:offhook audio"]
    lines += [f"a=candidate:{one}" for one in ours.candidates]
    return [*lines, "a=end-of-candidates"]


def _split(text: str) -> tuple[_Section, list[_Section]]:
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0] != "v=0":
        raise OfferError("it is no SDP: the first line must be v=0")
    if any(line and (len(line) < 2 or line[1] != "=" or not line.isprintable()) for line in lines):
        raise OfferError("it is no SDP: every line must be a letter, an equals sign and text")
    session, media = _Section([]), list[_Section]()
    for line in lines:
        if line.startswith("m="):
            media.append(_Section([], line[2:]))
        else:
            (media[-1] if media else session).lines.append(line)
    if len(media) > _SECTIONS:
        raise OfferError(f"it has more than {_SECTIONS} lines m=")
    return session, media


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise OfferError("a line m= is malformed")
    return text


def _profile(text: str) -> str:
    return text if re.fullmatch(r"[A-Z0-9/]{1,40}", text) else "UDP/TLS/RTP/SAVPF"


def _either(session: _Section, audio: _Section, name: str) -> str:
    return audio.value(name) or session.value(name) or ""


def _codec(
    audio: _Section, offered: list[str], wanted: Sequence[CodecName]
) -> tuple[int, CodecName, int, int, dict[int, tuple[str, int, int]]]:
    known = {number: (name, rate, 1) for number, (name, rate) in _STATIC.items()}
    for line in audio.values("rtpmap"):
        found = re.fullmatch(r"(\d{1,3}) ([^/ ]{1,40})/(\d{1,6})(?:/(\d))?", line)
        if found is not None and int(found[1]) < 128:
            known[int(found[1])] = (found[2].upper(), int(found[3]), int(found[4] or 1))
    numbers = [int(one) for one in offered if one.isascii() and one.isdigit() and len(one) <= 3]
    known = {number: known[number] for number in numbers if number in known}
    for number, (name, rate, channels) in known.items():
        codec = _CODECS.get((name, rate))
        if codec is not None and codec in wanted:
            return number, _named(codec), rate, channels, known
    raise OfferError(f"it offers none of the codecs that are spoken: {', '.join(wanted)}")


def _named(codec: str) -> CodecName:
    return "opus" if codec == "opus" else "PCMU" if codec == "PCMU" else "PCMA"


def _fingerprints(session: _Section, audio: _Section) -> tuple[tuple[str, str], ...]:
    found = []
    for line in audio.values("fingerprint") or session.values("fingerprint"):
        kind, _, value = line.partition(" ")
        if kind.lower() in _HASHES and _FINGERPRINT.fullmatch(value):
            found.append((kind.lower(), value.upper()))
    if not found:
        raise OfferError("it has no a=fingerprint of SHA-256, SHA-384 or SHA-512")
    return tuple(found)


def _candidates(audio: _Section) -> tuple[Candidate, ...]:
    """Those over UDP, of RTP; others are left out, as they must be (RFC 8839)."""
    found = []
    for line in audio.values("candidate")[:_CANDIDATES]:
        part = line.split(" ")
        if len(part) < 8 or part[1] != "1" or part[2].lower() != "udp" or part[6] != "typ":
            continue
        if not _TOKEN.fullmatch(part[0]) or not _NUMBERS.fullmatch(f"{part[3]} {part[5]}"):
            continue
        priority, port = int(part[3]), int(part[5])
        if not 0 < priority < 2**32 or not 0 < port < 65536 or not _is_host(part[4]):
            continue
        found.append(Candidate(part[0], priority, part[4], port, part[7]))
    return tuple(found)


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return text.endswith(".local") and _TOKEN.fullmatch(text) is not None
    return True
