"""A test call's audio: what of it gets through, and what is likely in the way of the rest."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pbx.addresses import bracketed, is_private_host
from pbx.source_filter import SourceAddress
from pbx.switch import Finding
from voice_loop.audio import Samples, frame_samples

_LEVEL: Final = 8000
#: Frames of sound that are more than what is left of an earlier one.
_SOUND_FRAMES: Final = 15
#: Of a frame's energy, what a tone must have, and in how many frames on end, to be the one said.
_SHARE: Final = 0.95
_FRAMES: Final = 5
_QUIET: Final = 200.0
#: Files by which Docker and Podman mark their containers.
_CONTAINER: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))


class TonePeer:
    """An audio peer that says one tone, and listens for another.

    Args:
        rate: of the line, Hz.
        says_hz: the tone that it says.
        awaits_hz: the one that the far end should say.
    """

    def __init__(self, rate: int, says_hz: int, awaits_hz: int) -> None:
        time = np.arange(rate)
        whole = (_LEVEL * np.sin(2 * np.pi * says_hz / rate * time)).astype(np.int16)
        self._frames = whole.reshape(-1, frame_samples(rate))  # a second, and over again
        self._wave = np.exp(-2j * np.pi * awaits_hz / rate * time[: frame_samples(rate)])
        self._said = 0
        self._right = 0
        self._loud = 0
        self.heard_tone = False
        """Whether the awaited tone came."""

    @property
    def heard_sound(self) -> bool:
        """Whether anything but silence came."""
        return self._loud >= _SOUND_FRAMES

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:  # noqa: ARG002
        samples = heard.astype(np.float64)
        energy = float(samples @ samples)
        if energy > _QUIET**2 * samples.size:
            self._loud += 1
            tone = 2 * abs(samples @ self._wave) ** 2 / samples.size
            self._right = self._right + 1 if tone > _SHARE * energy else 0
            self.heard_tone = self.heard_tone or self._right == _FRAMES
        self._said += 1
        frame: Samples = self._frames[self._said % len(self._frames)]
        return frame


@dataclass(frozen=True)
class Heard:
    """What came of a test call."""

    packets: bool
    """Of the PBX, from where it should."""
    sound: bool = False
    tone: bool = False
    """Ours, back again."""
    strangers: tuple[SourceAddress, ...] = ()
    """Where datagrams came from that were nobody's."""


@dataclass(frozen=True)
class Ends:
    """Between which addresses the test call's audio went."""

    pbx: str
    """The PBX, as people call it."""
    ours: tuple[str, int]
    """As the PBX is told."""
    theirs: tuple[str, int]
    """As the PBX tells us."""
    local_host: str | None = None
    """Our address on the way to the PBX."""
    peer_host: str | None = None
    """The PBX's, where its control connection is reached."""
    ports_setting: str = ""
    """Where the PBX's own audio ports are set."""


def judge(heard: Heard, ends: Ends) -> Finding:
    """What `offhook doctor` says of a test call, with the likely cause of what is missing."""
    ours, theirs = _written(ends.ours), _written(ends.theirs)
    if heard.tone:
        return Finding("audio", True, f"a test call was heard both ways, at {ours}")
    others = sorted({str(host) for host, *_ in heard.strangers})
    if others and not heard.packets:
        told = (
            f"{ends.pbx} says that its audio is at {theirs}, but sends it from "
            f"{', '.join(others)}: a NAT or a second interface. Set rtp.latch to `any` and "
            "rtp.sources to that address"
        )
    elif heard.sound:
        told = (
            f"what comes back of a test call from {theirs} is not what was sent: something between "
            "the two changes the audio. Mend pbx.codec"
        )
    elif heard.packets:
        told = (
            f"one way only: {ends.pbx} is heard at {ours}, but does not hear what is sent to "
            f"{theirs}: a firewall before its audio ports ({ends.ports_setting})"
            + _if_elsewhere(ends)
        )
    else:
        told = f"nothing of a test call came back: {ends.pbx} sends audio to {ours}, and we to " + (
            f"{theirs}. Mend rtp.advertise and rtp.bind, or a firewall between the two"
            + "".join(_hints(ends))
        )
    return Finding("audio", False, told)


def _written(address: tuple[str, int]) -> str:
    return f"{bracketed(address[0])}:{address[1]}"


def _if_elsewhere(ends: Ends) -> str:
    """A PBX that is behind a NAT names an address that only its own network knows."""
    host = ends.theirs[0]
    if ends.peer_host is None or host == ends.peer_host:
        return ""
    return (
        f"; or a NAT: it is reached at {ends.peer_host}, but names {host} "
        "(with rtp.latch and rtp.sources we answer where its audio comes from)"
    )


def _hints(ends: Ends) -> Iterable[str]:
    host = ends.ours[0]
    yield _if_elsewhere(ends)
    if any(one.exists() for one in _CONTAINER):
        yield (
            "; in a container, publish its UDP ports and set rtp.advertise to the host's address, "
            "or give it the host's network"
        )
    if ends.local_host is not None and host != ends.local_host:
        yield f"; we reach {ends.pbx} from {ends.local_host}, which is mostly the right one"
    elif (
        is_private_host(host) and ends.peer_host is not None and not is_private_host(ends.peer_host)
    ):
        yield f"; {host} is a private address, which {ends.pbx} at {ends.peer_host} cannot reach"
