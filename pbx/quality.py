"""How good a call's line was, both ways: what was counted, and what people would say of it.

Inbound is what came from the far end: the trunk's packets as the PBX counted them, or ours where
it lost fewer. Outbound is what the far end got of us, by its own reports (RTCP) to the PBX; between
the PBX and us is a local network. `docs/quality.md` says what each figure means.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from pbx.e_model import CODECS, Impairment, opinion, rating
from pbx.speech_level import Level
from pbx.switch import AudioProblem, LikelyCause, MediaStats
from voice_loop.audio import FRAME_MS
from voice_loop.events import Echo

ProblemKind = Literal[
    "no_audio_in", "no_audio_out", "loss", "jitter", "delay", "level", "clipping", "echo"
]
Way = Literal["inbound", "outbound"]

#: Percent of the packets: conversation bears less (ITU-T G.1010).
_LOSS: Final = 3.0
#: The RFC 3550 jitter of delays spread evenly over 50 ms, which ITU-T Y.1541 allows speech.
_JITTER_MS: Final = 50 / 3
#: One way, ms: beyond it planning is to be looked at (ITU-T G.114).
_DELAY_MS: Final = 400
#: Active speech, dBov: G.711 is made for -26 (ITU-T P.830, G.169).
_QUIET, _LOUD = -38.0, -14.0
#: Share of the speech that is clipped.
_CLIPPED: Final = 0.01
#: dB of our own voice that comes back: conversation bears less (ITU-T G.131 at 50 to 100 ms).
_ECHO_DB: Final = -30.0
#: Percent of what we sent that the far end reports as lost, from which on it hears nothing.
_UNHEARD: Final = 90.0
#: Packets, or frames, below which nothing is said.
_ENOUGH: Final = 100
#: Of a codec for which ITU-T G.113 has no values (Opus): as if it impaired nothing.
_UNKNOWN: Final = CODECS["pcma"]
#: What the far end's jitter buffer is taken to delay by at least, and in jitters.
_FAR_BUFFER_MS: Final = 40
_FAR_BUFFER: Final = 2


@dataclass(frozen=True)
class WayQuality:
    """One way of the line; None for what is not known."""

    packets: int | None = None
    loss_percent: float | None = None
    late_percent: float | None = None
    """Came too late to be played. Inbound only, as what follows."""
    concealed_percent: float | None = None
    """Of the frames that were heard."""
    burst_ratio: float | None = None
    jitter_ms: float | None = None
    """RFC 3550, mean over the call where we measured it, else as it was in the end."""
    delay_ms: int | None = None
    """One way: half the round trip of the trunk, a packet, and the jitter buffer."""
    level_dbov: float | None = None
    """Of active speech (ITU-T P.56)."""
    activity_percent: float | None = None
    clipped_ms: int = 0
    r_factor: float | None = None
    mos: float | None = None


@dataclass(frozen=True)
class Problem:
    """What is wrong, and how to mend it."""

    problem: ProblemKind
    way: Way
    cause: LikelyCause
    message: str


@dataclass(frozen=True)
class CallQuality:
    """Both ways of an answered call's line, when it is over."""

    codec: str | None
    """Of the trunk, lower case."""
    wideband: bool
    """Whether the ratings are on the scale of ITU-T G.107.1, whose best is 129."""
    round_trip_ms: int | None
    """Of the trunk."""
    inbound: WayQuality
    outbound: WayQuality
    echo: Echo | None
    problems: tuple[Problem, ...]


def assess(
    media: MediaStats, told: Sequence[AudioProblem] = (), echo: Echo | None = None
) -> CallQuality:
    """Judge a call by what was counted.

    Args:
        media: of all of it.
        told: what was told while it lasted.
        echo: as the voice loop found it.
    """
    trunk = media.trunk
    codec = None if trunk.codec is None else trunk.codec.lower()
    transit_ms = 0.0 if trunk.round_trip_ms is None else trunk.round_trip_ms / 2
    inbound = _rated(_inbound(media, transit_ms), codec)
    outbound = _rated(_outbound(media, transit_ms), codec)
    problems = [problem_of(one) for one in told]
    known = {one.problem for one in problems}
    problems += (one for one in _found(inbound, outbound, echo) if one.problem not in known)
    return CallQuality(
        codec=codec,
        wideband=_impairment(codec).wideband,
        round_trip_ms=None if trunk.round_trip_ms is None else round(trunk.round_trip_ms),
        inbound=inbound,
        outbound=outbound,
        echo=echo,
        problems=tuple(problems),
    )


def problem_of(told: AudioProblem) -> Problem:
    """What was told while the call lasted, as it stands in its quality."""
    way: Way = "inbound" if told.problem == "no_audio_in" else "outbound"
    return Problem(told.problem, way, told.cause, told.message)


def _inbound(media: MediaStats, transit_ms: float) -> WayQuality:
    trunk = media.trunk
    came = media.received - media.duplicate
    ours = _percent(media.leg_lost, came + media.leg_lost)
    theirs = None
    if trunk.received is not None and trunk.lost is not None:
        theirs = _percent(trunk.lost, trunk.received + trunk.lost)
    losses = [one for one in (ours, theirs) if one is not None]
    loss = max(losses, default=None)
    # Where the PBX makes a new stream, ours tells nothing of the trunk's packets.
    jitters = [media.mean_jitter_ms if came else None, trunk.jitter_ms]
    burst = None
    if media.leg_lost and media.bursts and loss is not None:
        burst = max(1.0, media.leg_lost / media.bursts * (1 - loss / 100))
    return WayQuality(
        packets=came if trunk.received is None else trunk.received,
        loss_percent=loss,
        late_percent=_percent(media.late, came + media.leg_lost),
        concealed_percent=_percent(media.concealed_frames, media.frames) if came else None,
        burst_ratio=None if burst is None else round(burst, 2),
        jitter_ms=max((round(one, 1) for one in jitters if one is not None), default=None),
        delay_ms=round(transit_ms + FRAME_MS + media.buffer_ms),
        level_dbov=media.heard_level.active_dbov,
        activity_percent=_activity(media.heard_level),
        clipped_ms=media.heard_level.clipped_ms,
    )


def _outbound(media: MediaStats, transit_ms: float) -> WayQuality:
    trunk = media.trunk
    loss = None
    if trunk.reported_lost is not None and trunk.sent:
        loss = min(100.0, _percent(trunk.reported_lost, trunk.sent) or 0.0)
    jitter = trunk.reported_jitter_ms
    buffer_ms = max(_FAR_BUFFER_MS, _FAR_BUFFER * (jitter or 0.0))
    return WayQuality(
        packets=trunk.sent if trunk.sent is not None else media.sent,
        loss_percent=loss,
        jitter_ms=None if jitter is None else round(jitter, 1),
        delay_ms=round(transit_ms + FRAME_MS + buffer_ms),
        level_dbov=media.sent_level.active_dbov,
        activity_percent=_activity(media.sent_level),
        clipped_ms=media.sent_level.clipped_ms,
    )


def _activity(level: Level) -> float | None:
    return None if level.active_dbov is None else round(100 * level.activity, 1)


def _percent(part: int, of: int) -> float | None:
    return None if of <= 0 else round(100 * part / of, 2)


def _impairment(codec: str | None) -> Impairment:
    """Of a codec; of one that has no published values, none."""
    return CODECS.get((codec or "").split("/")[0], _UNKNOWN)


def _rated(way: WayQuality, codec: str | None) -> WayQuality:
    """With what people would say, where losses are known, and anything came."""
    if not way.packets or way.loss_percent is None or way.delay_ms is None:
        return way
    impairment = _impairment(codec)
    unplayed = min(100.0, way.loss_percent + (way.late_percent or 0.0))
    r = rating(way.delay_ms, unplayed, impairment, way.burst_ratio or 1.0)
    mos = opinion(r, wideband=impairment.wideband)
    return replace(way, r_factor=round(r, 1), mos=round(mos, 2))


def _found(inbound: WayQuality, outbound: WayQuality, echo: Echo | None) -> Iterator[Problem]:
    """What the figures show."""
    if outbound.loss_percent is not None and outbound.loss_percent >= _UNHEARD:
        yield Problem(
            "no_audio_out",
            "outbound",
            "firewall",
            f"the far end reports {outbound.loss_percent:g} % of what we sent as lost: a firewall "
            "or a NAT between the PBX and the trunk is in its way",
        )
    ways: tuple[tuple[Way, WayQuality], ...] = (("inbound", inbound), ("outbound", outbound))
    for name, way in ways:
        if not way.packets or way.packets < _ENOUGH:
            continue
        yield from _of_network(name, way)
        yield from _of_sound(name, way)
    if echo is not None and echo.level_db >= _ECHO_DB:
        yield Problem(
            "echo",
            "inbound",
            "far_end",
            f"our own voice comes back after {echo.delay_ms} ms at {echo.level_db:.0f} dB: the far "
            "end's loudspeaker or its gateway's hybrid; it is cancelled before anybody listens, "
            "but turn echo cancellation (ITU-T G.168) on where the line becomes analogue",
        )


def _of_network(name: Way, way: WayQuality) -> Iterator[Problem]:
    mend = (
        "look at the way between the PBX and the trunk (`ping`, `mtr`, the access line's load), "
        "and have routers prefer its audio (DSCP EF)"
    )
    lost, jitter, late = way.loss_percent or 0.0, way.jitter_ms or 0.0, way.late_percent or 0.0
    if _LOSS <= lost + late < _UNHEARD:
        told = f"{lost:g} % of the packets were lost"
        told += f" and {late:g} % came too late" if late else ""
        yield Problem("loss", name, "network", f"{told}: {mend}")
    if jitter >= _JITTER_MS:
        told = f"packets came with a jitter of {jitter:g} ms (RFC 3550)"
        yield Problem("jitter", name, "network", f"{told}: {mend}")
    if way.delay_ms is not None and way.delay_ms >= _DELAY_MS:
        told = f"a word takes {way.delay_ms} ms"
        yield Problem("delay", name, "network", f"{told}: {mend}")


def _of_sound(name: Way, way: WayQuality) -> Iterator[Problem]:
    level, share = way.level_dbov, way.activity_percent or 0.0
    mend = "set the gain of the gateway, the telephone or the PBX (VOLUME, rxgain, txgain)"
    if name == "outbound":
        mend = "set the gain of the voice, or of the PBX towards the trunk (VOLUME, txgain)"
    spoken_ms = share / 100 * (way.packets or 0) * FRAME_MS
    if level is not None and not _QUIET <= level <= _LOUD:
        how = "quiet" if level < _QUIET else "loud"
        yield Problem("level", name, "far_end", f"speech is too {how}, {level:g} dBov: {mend}")
    if way.clipped_ms >= _CLIPPED * max(1000.0, spoken_ms):
        told = f"{way.clipped_ms} ms of speech are cut off at full scale"
        yield Problem("clipping", name, "far_end", f"{told}: {mend}")
