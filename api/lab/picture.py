"""A picture of a call, as SVG: both channels, who spoke, and what was decided when."""

from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

import numpy as np

from api.lab.spans import Span
from api.lab.trace import CallTrace, Decision, Kind
from models.recordings import RATE
from voice_loop.audio import Samples

_PX_PER_S: Final = 80
_LEFT: Final = 90
_PERSON_Y: Final = 110
_AGENT_Y: Final = 300
_HALF: Final = 60
_DECISIONS_Y: Final = 205
_HEIGHT: Final = 440
_COLOURS: Final[dict[Kind, str]] = {
    "say": "#1b7f4d",
    "interrupt": "#c2410c",
    "backchannel": "#0e7490",
    "tic": "#7c3aed",
    "aside": "#6b7280",
}
_AGENT_COLOUR: Final = "#1d4ed8"
#: What is drawn of the decisions, and how it is called there.
_SHOWN: Final = {
    "SpeechStarted": ("starts", "#1b7f4d"),
    "SpeechPaused": ("pauses", "#9ca3af"),
    "SpeechResumed": ("resumes", "#1b7f4d"),
    "TurnEnded": ("turn over", "#111827"),
    "Play": ("answer due", _AGENT_COLOUR),
    "Hold": ("agent held", "#c2410c"),
    "Resume": ("agent goes on", _AGENT_COLOUR),
    "FallSilent": ("agent stops", "#c2410c"),
}
_MARK_ROWS: Final = 5


def picture_of(trace: CallTrace) -> str:
    """The call as an SVG document."""
    width = _LEFT + round(trace.length_s * _PX_PER_S) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" '
        f'viewBox="0 0 {width} {_HEIGHT}" font-family="sans-serif" font-size="11">',
        f"<title>{escape(trace.scenario)}: {escape(trace.call_id)}</title>",
        f'<rect width="{width}" height="{_HEIGHT}" fill="#ffffff"/>',
        *_axis(trace.length_s),
        *_label("person", _PERSON_Y),
        *_label("agent", _AGENT_Y),
        *_envelope(trace.line, _PERSON_Y, "#d1d5db"),
        *_envelope(trace.person, _PERSON_Y, "#1b7f4d"),
        *_envelope(trace.agent, _AGENT_Y, _AGENT_COLOUR),
    ]
    for said in trace.spoken:
        colour = _COLOURS[said.kind]
        words = said.text or " ".join(said.words)
        lines += _bar(said.span, _PERSON_Y - _HALF - 8, colour, f"{said.kind}: {words}")
    for index, span in enumerate(trace.agent_speaks):
        lines += _bar(span, _AGENT_Y + _HALF + 4, _AGENT_COLOUR, f"agent speaks ({index + 1})")
    for turn in trace.turns:
        y = _PERSON_Y - _HALF - 34 if turn.speaker == "person" else _AGENT_Y + _HALF + 30
        colour = "#1b7f4d" if turn.speaker == "person" else _AGENT_COLOUR
        cut = " ✂" if turn.interrupted else ""
        lines += _bar(turn.span, y, colour, f"kept: {turn.text}{cut}", words=turn.text + cut)
    lines += _marks(trace.decisions)
    return "\n".join([*lines, "</svg>", ""])


def _x(at: float) -> float:
    return round(_LEFT + at * _PX_PER_S, 1)


def _axis(length_s: float) -> Iterator[str]:
    for second in range(int(length_s) + 1):
        x = _x(second)
        yield f'<line x1="{x}" y1="20" x2="{x}" y2="{_HEIGHT - 20}" stroke="#f3f4f6"/>'
        yield f'<text x="{x}" y="{_HEIGHT - 6}" fill="#6b7280">{second} s</text>'


def _label(text: str, y: int) -> Iterator[str]:
    yield f'<text x="8" y="{y + 4}" fill="#111827" font-weight="bold">{text}</text>'


def _envelope(samples: Samples, y: int, colour: str) -> Iterator[str]:
    """Peaks of each 20 ms, on a scale that shows quiet speech too."""
    hop = RATE // 50
    whole = np.abs(samples[: samples.size // hop * hop].astype(np.int32)).reshape(-1, hop)
    if whole.size == 0:
        return
    peaks = np.sqrt(whole.max(axis=1) / 32768) * _HALF
    upper = [f"{_x(index / 50)},{y - round(float(peak), 1)}" for index, peak in enumerate(peaks)]
    lower = [f"{_x(index / 50)},{y + round(float(peak), 1)}" for index, peak in enumerate(peaks)]
    points = " ".join([*upper, *reversed(lower)])
    yield f'<polygon points="{points}" fill="{colour}" opacity="0.7"/>'


def _bar(span: Span, y: int, colour: str, told: str, words: str = "") -> Iterator[str]:
    width = max(1.0, round(span.length * _PX_PER_S, 1))
    yield f"<g><title>{escape(told)}</title>"
    yield f'<rect x="{_x(span.start)}" y="{y}" width="{width}" height="5" fill="{colour}"/>'
    if words:
        most = max(3, int(width / 5.5))
        shown = words if len(words) <= most else words[: most - 1] + "…"
        yield f'<text x="{_x(span.start)}" y="{y - 3}" fill="{colour}">{escape(shown)}</text>'
    yield "</g>"


def _marks(decisions: Sequence[Decision]) -> Iterator[str]:
    shown = [one for one in decisions if one.name in _SHOWN]
    for index, one in enumerate(shown):
        name, colour = _SHOWN[one.name]
        x, y = _x(one.at), _DECISIONS_Y - 22 + index % _MARK_ROWS * 12
        yield f"<g><title>{name} at {one.at:.2f} s</title>"
        yield (
            f'<line x1="{x}" y1="{_PERSON_Y - _HALF}" x2="{x}" y2="{_AGENT_Y + _HALF}" '
            f'stroke="{colour}" stroke-dasharray="2 3"/>'
        )
        yield f'<text x="{x + 2}" y="{y}" fill="{colour}" font-size="9">{name}</text></g>'
