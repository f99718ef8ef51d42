"""`offhook doctor --call ID`: how good a call's line was, what was wrong with it, and the mend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.base.refusals import NotFound
from api.cli.console import fail, opened_store, out, table
from api.resources.attempt import AttemptObject
from api.resources.quality import LineProblemObject, QualityObject, WayObject
from api.settings import Settings

_FIGURES = {
    "packets": "packets",
    "lost": "loss_percent",
    "late": "late_percent",
    "concealed": "concealed_percent",
    "jitter": "jitter_ms",
    "delay": "delay_ms",
    "level": "level_dbov",
    "speech": "activity_percent",
    "clipped": "clipped_ms",
    "R": "r_factor",
    "MOS": "mos",
}
_UNITS = {"percent": " %", "ms": " ms", "dbov": " dBov"}


@dataclass(frozen=True)
class Diagnosis:
    """One attempt of a call."""

    attempt: AttemptObject
    problems: Sequence[LineProblemObject]
    """Of a call that goes on, those that were told by now."""

    def json(self) -> dict[str, Any]:
        told = self.attempt.model_dump(
            include={"number", "state", "end_reason", "message", "sip_call_id", "trunk", "quality"}
        )
        return told | {"problems": [one.model_dump() for one in self.problems]}


async def diagnose(settings: Settings, call_id: str) -> Sequence[Diagnosis]:
    """What the store knows of a call's attempts; ends the command where there is no such call."""
    async with opened_store(settings) as store:
        try:
            call = await store.calls.get(call_id)
        except NotFound:
            fail(f"there is no call with the id {call_id}")
        tried = [AttemptObject.of(one) for one in await store.calls.attempts(call_id)]
        told = [
            LineProblemObject.model_validate(one.data["problem"])
            for one in await store.calls.events(call_id)
            if one.type == "call.audio_problem"
        ]
    return [
        Diagnosis(one, told if one.quality is None and not call.over else _problems(one))
        for one in tried
    ]


def _problems(attempt: AttemptObject) -> Sequence[LineProblemObject]:
    return [] if attempt.quality is None else attempt.quality.problems


def show(diagnoses: Sequence[Diagnosis]) -> None:
    """Print them for people."""
    if not diagnoses:
        out.print("nobody was dialled yet")
    for one in diagnoses:
        attempt, quality = one.attempt, one.attempt.quality
        why = f", {attempt.end_reason}" if attempt.end_reason else ""
        _line(
            f"attempt {attempt.number}: {attempt.state}{why}, Call-ID {attempt.sip_call_id or '-'}"
        )
        if attempt.message:
            _line(f"  {attempt.message}")
        if quality is not None:
            _show_figures(quality)
        for problem in one.problems:
            out.print("[red]FAIL[/]  ", end="")
            _line(f"{problem.way} {problem.problem} ({problem.cause}): {problem.message}")
        if quality is not None and not one.problems:
            out.print("[green]ok[/]    nothing is wrong with its line")


def _show_figures(quality: QualityObject) -> None:
    rows = [
        (name, _written(quality.inbound, field), _written(quality.outbound, field))
        for name, field in _FIGURES.items()
    ]
    trip = "-" if quality.round_trip_ms is None else f"{quality.round_trip_ms} ms"
    _line(f"  codec {quality.codec or '-'}, round trip {trip}")
    out.print(table(("", "inbound", "outbound"), rows))


def _written(way: WayObject, field: str) -> str:
    value = getattr(way, field)
    return "-" if value is None else f"{value:g}{_UNITS.get(field.rpartition('_')[2], '')}"


def _line(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)
