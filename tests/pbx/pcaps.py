"""Writes the RTP that the scenarios of SIPp play, made of the test bed's sounds, as pcap files."""

import random
import struct
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from pbx.codecs import PCMA, PCMU, Codec
from pbx.testbed import SOUNDS
from voice_loop.audio import Samples, resample

_RATE: Final = 8000
_TELEPHONE_EVENT: Final = 101
_COMFORT_NOISE: Final = 13
_G729: Final = 18
_KEYS: Final = "0123456789*#ABCD"
#: Of the keys (ITU-T Q.23): a row's frequency and a column's.
_TONES: Final[Mapping[str, Sequence[float]]] = {
    key: (row, column)
    for row, keys in ((697, "123A"), (770, "456B"), (852, "789C"), (941, "*0#D"))
    for column, key in zip((1209, 1336, 1477, 1633), keys, strict=True)
}
#: Of a called fax (CED, ITU-T T.30).
_CED_HZ: Final = 2100
#: Ethernet type IPv4 without addresses, an IPv4 and a UDP header: SIPp puts its own in their place.
_FILE_HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)


class Stream:
    """One RTP stream, written packet by packet.

    Args:
        seed: of what RFC 3550 §5.1 has begin at random.
        codec: what it speaks unless told otherwise.
        at: seconds from the file's start at which it begins.
    """

    def __init__(self, seed: str, codec: Codec = PCMA, at: float = 0.0) -> None:
        chance = random.Random(seed)
        self.codec = codec
        self.at = at
        self.packets: list[tuple[float, bytes]] = []
        self.sequence = chance.getrandbits(15)
        self.timestamp = chance.getrandbits(31)
        self.ssrc = chance.getrandbits(32)

    def packet(
        self, payload: bytes, payload_type: int, timestamp: int | None = None, marker: bool = False
    ) -> None:
        """One packet, now."""
        stamp = self.timestamp if timestamp is None else timestamp
        second = payload_type | (0x80 if marker else 0)
        words = (self.sequence & 0xFFFF, stamp & 0xFFFFFFFF, self.ssrc)
        self.packets.append((self.at, struct.pack("!BBHII", 0x80, second, *words) + payload))
        self.sequence += 1

    def say(self, samples: Samples, ptime_ms: int = 20) -> None:
        """Audio, one packet after the other."""
        size = _RATE * ptime_ms // 1000
        for start in range(0, len(samples) - size + 1, size):
            payload = self.codec.encode(samples[start : start + size])
            self.packet(payload, self.codec.payload_type)
            self.pause(ptime_ms / 1000)

    def pause(self, seconds: float) -> None:
        """Send nothing for a while."""
        self.at += seconds
        self.timestamp += round(_RATE * seconds)

    def press(
        self, key: str, milliseconds: int = 120, *, ends: int = 3, aloud: bool = False
    ) -> None:
        """A telephone event (RFC 4733), its end told three times, or as often as `ends` says.

        With `aloud` its tones are heard as well, between its packets.
        """
        event, stamp = _KEYS.index(key), self.timestamp
        tones = _tone(_TONES[key], milliseconds / 1000)
        for step in range(milliseconds // 20):
            event_payload = struct.pack("!BBH", event, 10, 160 * (step + 1))
            self.packet(event_payload, _TELEPHONE_EVENT, stamp, marker=step == 0)
            if aloud:
                self.say(tones[160 * step : 160 * step + 160])
            else:
                self.pause(0.02)
        for _ in range(ends):
            end = struct.pack("!BBH", event, 0x80 | 10, 8 * milliseconds)
            self.packet(end, _TELEPHONE_EVENT, stamp)
            self.at += 0.002


def make(folder: Path) -> None:
    """Write them all into `folder`, which is made."""
    folder.mkdir(parents=True)
    talk = _talk()
    for name, codec in (("talk_ulaw", PCMU), ("talk_alaw", PCMA)):
        stream = Stream(name, codec)
        stream.say(talk)
        _write(folder / f"{name}.pcap", stream)
    for ptime_ms in (10, 30, 40, 60):
        stream = Stream(f"p{ptime_ms}")
        stream.say(talk, ptime_ms)
        _write(folder / f"talk_p{ptime_ms}.pcap", stream)
    for name, samples in _speeches().items():
        stream = Stream(name)
        stream.say(samples)
        _write(folder / f"{name}.pcap", stream)
    for name, stream in _further(talk).items():
        _write(folder / f"{name}.pcap", stream)
    _write(folder / "sources.pcap", *_many_sources())
    _write(folder / "dtmf.pcap", _keys())
    _write(folder / "cn.pcap", _comfort_noise())
    _write(folder / "ssrc.pcap", *_new_sources())
    _write(folder / "g729.pcap", _g729())
    _write(folder / "odd.pcap", _odd())
    _write(folder / "loss.pcap", _lossy(talk))


def _sound(name: str) -> Samples:
    with wave.open(str(SOUNDS / f"{name}.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return resample(samples, file.getframerate(), _RATE)


def _quiet(seconds: float) -> Samples:
    return np.zeros(round(_RATE * seconds), np.int16)


def _tone(frequencies: Sequence[float], seconds: float, amplitude: float = 6000) -> Samples:
    at = np.arange(round(_RATE * seconds)) * (2 * np.pi / _RATE)
    return np.asarray(sum(amplitude * np.sin(one * at) for one in frequencies), np.int16)


def _talk() -> Samples:
    """A person who answers three questions: 23 s."""
    return np.concatenate(
        [
            *(_quiet(0.5), _sound("hello"), _quiet(6.5), _sound("speaking"), _quiet(7)),
            *(_sound("confirm"), _quiet(6)),
        ]
    )


def _speeches() -> Mapping[str, Samples]:
    notes = (262, 330, 392, 349, 294, 440, 392, 330) * 9
    music = [part for one in notes for part in (_chord(one), _quiet(0.02))]
    tones = [part for key in "125#" for part in (_tone(_TONES[key], 0.12), _quiet(0.3))]
    chat = [
        part
        for turn in range(9)
        for part in (_quiet(11 if turn else 0.5), _sound(("hello", "wait", "who")[turn % 3]))
    ]
    speeches = {
        "early": [_sound("not_in_service")],
        "inband": [_quiet(1), *tones, _quiet(8)],
        "open": [_quiet(0.5), _sound("hello"), _quiet(6.5), _sound("wait")],
        "back": [_quiet(0.5), _sound("speaking"), _quiet(7), _sound("confirm"), _quiet(8)],
        "music": music,
        "quiet": [_quiet(20)],
        "short": [_quiet(0.5), _sound("hello"), _quiet(1)],
        "fax_called": [_quiet(0.5), _tone((_CED_HZ,), 3), _quiet(6)],
        "chat": [*chat, _quiet(10)],
    }
    return {name: np.concatenate(parts) for name, parts in speeches.items()}


def _chord(root: float) -> Samples:
    return _tone((root, root * 1.25, root * 1.5), 0.5, 2500)


def _keys() -> Stream:
    stream = Stream("dtmf")
    stream.say(_quiet(1))
    for key in "135#":
        stream.press(key)
        stream.say(_quiet(0.4))
    stream.press("0", 40)
    stream.say(_quiet(0.4))
    stream.press("9", 2000)
    stream.say(_quiet(8))
    return stream


def _further(talk: Samples) -> Mapping[str, Stream]:
    """What lines do in one thing at a time."""
    wrap, noise = Stream("wrap"), Stream("noise")
    wrap.sequence, wrap.timestamp = 0xFFFF - 40, 0xFFFFFFFF - 8000
    wrap.say(talk)
    for _ in range(100):
        noise.packet(b"\x48", _COMFORT_NOISE)
        noise.pause(0.4)
    return {"wrap": wrap, "only_noise": noise, **_presses()}


def _presses() -> Mapping[str, Stream]:
    """Keys as RFC 4733 may bring them."""
    names = ("lost_ends", "all", "repeated", "overlap", "doubled", "slow")
    made = {name: Stream(f"keys {name}") for name in names}
    for stream in made.values():
        stream.say(_quiet(1))
    for key in "12345":  # one end in two is lost, and then all three
        made["lost_ends"].press(key, ends={"2": 1, "4": 0}.get(key, 2))
        made["lost_ends"].say(_quiet(0.4))
    for key, milliseconds in zip("*#ABCD7", (40, 3000, 120, 60, 240, 100, 40), strict=True):
        made["all"].press(key, milliseconds)
        made["all"].say(_quiet(0.2))
    for key in "1155":  # the same key anew, as fast as a phone dials
        made["repeated"].press(key, 100)
        made["repeated"].say(_quiet(0.1))
    for key in "123":  # the next begins while the ends of the one before are still being told
        made["overlap"].press(key, 80)
    for key in "159#":
        made["doubled"].press(key, 200, aloud=True)
        made["doubled"].say(_quiet(0.4))
    for key in "1590":  # one a second
        made["slow"].press(key, 160)
        made["slow"].say(_quiet(0.84))
    for stream in made.values():
        stream.say(_quiet(8))
    return {f"keys_{name}": stream for name, stream in made.items()}


def _many_sources() -> Sequence[Stream]:
    """A new SSRC, sequence number and timestamp for each of five words."""
    streams = []
    at = 0.0
    for name in ("hello", "speaking", "confirm", "wait", "who"):
        stream = Stream(f"source {name}", at=at)
        stream.say(np.concatenate([_quiet(0.5), _sound(name), _quiet(2)]))
        streams.append(stream)
        at = stream.at
    return streams


def _comfort_noise() -> Stream:
    """Speech, then comfort noise (RFC 3389) every 400 ms, in turns: a far end with VAD."""
    stream = Stream("cn")
    for name in ("hello", "speaking", "confirm"):
        stream.pause(0.5)
        stream.say(_sound(name))
        for _ in range(18):
            stream.packet(b"\x48", _COMFORT_NOISE)
            stream.pause(0.4)
    return stream


def _new_sources() -> tuple[Stream, Stream]:
    """SSRC, sequence number and timestamp change in mid word, as an SBC does, and then back."""
    hello = _sound("hello")
    half = len(hello) // 4 * 2
    first = Stream("ssrc")
    first.pause(0.5)
    first.say(hello[:half])
    second = Stream("another ssrc", at=first.at)
    second.say(np.concatenate([hello[half:], _quiet(6.5), _sound("speaking")]))
    first.at = second.at
    first.say(np.concatenate([_quiet(7), _sound("confirm"), _quiet(6)]))
    return first, second


def _g729() -> Stream:
    stream, chance = Stream("g729"), random.Random("frames")
    for _ in range(500):
        stream.packet(chance.randbytes(20), _G729)
        stream.pause(0.02)
    return stream


def _odd() -> Stream:
    """Payload types that nobody agreed on; empty, short and long payloads."""
    stream, chance = Stream("odd"), random.Random("odd ones")
    for _ in range(400):
        payload = chance.choice((b"", b"\x55" * 160, b"\x55" * 1200, b"\x00"))
        stream.packet(payload, chance.choice((8, 0, 3, 77, 127, 97, 72, 13)))
        stream.pause(0.02)
    return stream


def _lossy(samples: Samples) -> Stream:
    """5 % of the packets lost, 1 % doubled, each up to 60 ms late, and so out of order."""
    stream, chance = Stream("loss"), random.Random(7)
    stream.say(samples)
    packets = []
    for at, packet in stream.packets:
        if chance.random() < 0.05:
            continue
        late = at + chance.random() * 0.06
        packets.append((late, packet))
        if chance.random() < 0.01:
            packets.append((late + 0.003, packet))
    stream.packets = packets
    return stream


def _write(path: Path, *streams: Stream) -> None:
    packets = sorted(packet for stream in streams for packet in stream.packets)
    path.write_bytes(_FILE_HEADER + b"".join(_record(at, rtp) for at, rtp in packets))


def _record(at: float, rtp: bytes) -> bytes:
    udp = struct.pack("!HHHH", 40000, 40002, 8 + len(rtp), 0) + rtp
    loopback = b"\x7f\0\0\1"
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, loopback, loopback)
    frame = b"\0" * 12 + b"\x08\0" + ip + udp
    return struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame
