"""The E-model of ITU-T G.107 (06/2015): how people would rate a line, by what impairs it.

Where nothing is known its default values hold, with which a perfect line has R = 93.2. Wideband
codecs are rated on the scale of G.107.1, whose best is 129.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log10, sqrt
from typing import Final

# Table 3 of G.107: loudness, side tone, room noise, echo, quantizing, circuit noise.
_SLR, _RLR, _STMR, _LSTR = 8.0, 2.0, 15.0, 18.0
_DS, _PS, _PR, _NFOR, _NC = 3.0, 35.0, 35.0, -64.0, -70.0
_TELR, _WEPL, _QDU = 65.0, 110.0, 1.0
#: Of clause 7.4: minimum delay that is perceived, ms (sensitivity 1).
_PERCEIVED_MS: Final = 100.0
#: The best rating of G.107.1.
_WIDEBAND_BEST: Final = 129.0


@dataclass(frozen=True)
class Impairment:
    """What a codec does to speech (ITU-T G.113, Appendices I and IV)."""

    ie: float
    """Equipment impairment factor."""
    bpl: float
    """Robustness to packet loss, greater is better."""
    wideband: bool = False
    """Whether `ie` is one of the wideband scale."""


#: Where the listener conceals what is lost: of G.711, G.113 gives 25.1 then, and 4.3 else.
_CONCEALED: Final = 25.1
_G711: Final = Impairment(0.0, _CONCEALED)
G711_UNCONCEALED: Final = Impairment(0.0, 4.3)
#: By the lower-case names of SDP (RFC 3551), and of Asterisk and FreeSWITCH.
CODECS: Final[Mapping[str, Impairment]] = {
    **dict.fromkeys(("pcmu", "pcma", "ulaw", "alaw"), _G711),
    # G.113 gives no robustness for it: taken as that of G.711.
    "g722": Impairment(13.0, _CONCEALED, wideband=True),
    # 8 kbit/s with VAD, as with Annex A; 6.3 kbit/s with VAD.
    "g729": Impairment(11.0, 19.0),
    "g723": Impairment(15.0, 16.1),
    # Neither has a robustness either: as without concealment.
    "gsm": Impairment(20.0, 4.3),
    "g726": Impairment(7.0, 4.3),
}


def rating(
    delay_ms: float,
    loss_percent: float,
    codec: Impairment = _G711,
    burst_ratio: float = 1.0,
) -> float:
    """The transmission rating factor R, 0 to 93.2, or 0 to 129 of a wideband codec.

    Args:
        delay_ms: from mouth to ear, one way.
        loss_percent: of the packets, 0 to 100; what came too late to be played is lost.
        codec: what it does.
        burst_ratio: mean length of the bursts of loss by what it were if each packet were lost
            by chance; 1 where they are.
    """
    lost = max(0.0, loss_percent)
    share = lost / (lost / max(1.0, burst_ratio) + codec.bpl)
    equipment = codec.ie + (95.0 - codec.ie) * share
    delayed = _late(delay_ms)
    if codec.wideband:
        return max(0.0, _WIDEBAND_BEST - delayed - equipment)
    undisturbed = _signal_to_noise()
    simultaneous = _simultaneous(undisturbed, delay_ms)
    echoed = _talker_echo(delay_ms) + _listener_echo(undisturbed, 2 * delay_ms)
    return max(0.0, undisturbed - simultaneous - delayed - echoed - equipment)


def opinion(r: float, *, wideband: bool = False) -> float:
    """The mean opinion score, 1 to 4.5, that a rating stands for (Annex B of G.107)."""
    r = r * 100.0 / _WIDEBAND_BEST if wideband else r
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def _noise() -> float:
    """No: the sum of all noise, dBm0p (7-3)."""
    olr = _SLR + _RLR
    sent = _PS - _SLR - _DS - 100 + 0.004 * (_PS - olr - _DS - 14) ** 2
    effective = _PR + 10 * log10(1 + 10 ** ((10 - _LSTR) / 10))
    received = _RLR - 121 + effective + 0.008 * (effective - 35) ** 2
    floor = _NFOR + _RLR
    return 10 * log10(sum(10 ** (one / 10) for one in (_NC, sent, received, floor)))


def _signal_to_noise() -> float:
    """Ro (7-2)."""
    return 15 - 1.5 * (_SLR + _noise())


def _simultaneous(ro: float, delay_ms: float) -> float:
    """Is: what comes with the voice itself (7-8): too loud, side tone, quantizing."""
    x = _SLR + _RLR + 0.2 * (64 + _noise() - _RLR)
    loud: float = 20 * ((1 + (x / 8) ** 8) ** 0.125 - x / 8)
    masked = exp(-delay_ms / 4) * 10 ** (-_TELR / 10)
    stmr = -10 * log10(10 ** (-_STMR / 10) + masked)
    side_tone: float = (
        12 * (1 + ((stmr - 13) / 6) ** 8) ** 0.125
        - 28 * (1 + ((stmr + 1) / 19.4) ** 35) ** (1 / 35)
        - 13 * (1 + ((stmr - 3) / 33) ** 13) ** (1 / 13)
        + 29
    )
    q: float = 37 - 15 * log10(_QDU)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    noises: float = 1 + 10 ** ((ro - 100) / 15 + 46 / 8.4 - g / 9) + 10 ** (46 / 30 - g / 40)
    return loud + side_tone + 15 * log10(noises)


def _talker_echo(delay_ms: float) -> float:
    """Idte (7-21): the talker's own voice coming back."""
    if delay_ms < 1:
        return 0.0
    masked = 40 * log10((1 + delay_ms / 10) / (1 + delay_ms / 150))
    terv = _TELR - masked + 6 * exp(-0.3 * delay_ms**2)
    re, roe = 80 + 2.5 * (terv - 14), -1.5 * (_noise() - _RLR)
    half = (roe - re) / 2
    return (half + sqrt(half**2 + 100) - 1) * (1 - exp(-delay_ms))


def _listener_echo(ro: float, round_trip_ms: float) -> float:
    """Idle (7-26)."""
    rle: float = 10.5 * (_WEPL + 7) * (round_trip_ms + 1) ** -0.25
    half: float = (ro - rle) / 2
    return half + sqrt(half**2 + 169)


def _late(delay_ms: float) -> float:
    """Idd (7-27): the pause before each answer."""
    if delay_ms <= _PERCEIVED_MS:
        return 0.0
    x = log10(delay_ms / _PERCEIVED_MS) / log10(2)
    grown: float = (1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2
    return 25 * grown
