"""What goes to a framework's script and what comes back: a folder of audio, and JSON lines.

The folder has `cases.jsonl`, one `Case` a line, and the WAV files that it names: the person's side
of the line, 8 kHz, mono, 16 bits. A script writes an `About` line and then one `Outcome` a case.
Times in ms from the beginning of the audio.
"""

import json
import time
import wave
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

RATE: Final = 8000
FRAME_MS: Final = 20
#: Between the end of what is said and its transcript, for every framework.
TRANSCRIPT_MS: Final = 100

Kind = Literal["turn", "noise", "backchannel", "interruption"]
Span = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """One piece of audio and the truth about it."""

    file: str
    length: int
    """Of the audio."""
    kind: Kind
    """`turn`: a person takes a turn, and the agent is quiet; `noise`: nobody speaks;
    `backchannel` and `interruption`: the person speaks while the agent does all the time."""
    speech: tuple[Span, ...] = ()
    """When the person speaks."""
    holds: tuple[Span, ...] = ()
    """Pauses within the turn."""
    text: str = ""
    """What is said, where that is known."""
    conditions: str = "clean"
    """Level and noise, as the table names them."""

    @property
    def onset(self) -> int:
        """When the person begins to speak."""
        return self.speech[0][0]

    @property
    def end(self) -> int:
        """When the turn ends."""
        return self.speech[-1][1]


@dataclass(frozen=True)
class Outcome:
    """What a framework did about one case."""

    file: str
    starts: tuple[int, ...] = ()
    """When it took the person to begin a turn, or to interrupt."""
    ends: tuple[int, ...] = ()
    """From when on it would have answered: the turn was over to it."""
    agent: tuple[Span, ...] = ()
    """When the agent was heard; one that goes on after the audio is heard to its end."""


@dataclass(frozen=True)
class About:
    """What ran, and what it cost."""

    name: str
    version: str
    setup: str
    """Its parts, in a few words."""
    cpu_s: float
    audio_s: float


def write_cases(folder: Path, cases: Iterable[tuple[Case, NDArray[np.int16]]]) -> Sequence[Case]:
    """Write audio and truth into an empty folder; give the cases."""
    written = []
    with (folder / "cases.jsonl").open("w", encoding="utf-8") as lines:
        for case, samples in cases:
            with wave.open(str(folder / case.file), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes(samples.astype("<i2").tobytes())
            lines.write(json.dumps(asdict(case)) + "\n")
            written.append(case)
    return written


def read_cases(folder: Path) -> Sequence[Case]:
    """The cases of a folder. Raises OSError, ValueError, KeyError or TypeError for no such one."""
    lines = (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return [Case(**_spans(json.loads(line), "speech", "holds")) for line in lines]


def frames(folder: Path, case: Case) -> Sequence[bytes]:
    """The audio of a case in frames of `FRAME_MS`. Raises OSError and wave.Error."""
    with wave.open(str(folder / case.file), "rb") as file:
        audio = file.readframes(file.getnframes())
    size = 2 * RATE * FRAME_MS // 1000
    return [audio[at : at + size] for at in range(0, len(audio) - size + 1, size)]


def write_outcomes(file: Path, about: About, outcomes: Iterable[Outcome]) -> None:
    """Write what came out."""
    records: list[About | Outcome] = [about, *outcomes]
    lines = [json.dumps(asdict(one)) for one in records]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_outcomes(file: Path) -> tuple[About, dict[str, Outcome]]:
    """What came out, by the case's file. Raises OSError, ValueError or TypeError for no such."""
    first, *rest = file.read_text(encoding="utf-8").splitlines()
    outcomes = [Outcome(**_spans(json.loads(line), "starts", "ends", "agent")) for line in rest]
    return About(**json.loads(first)), {one.file: one for one in outcomes}


def _spans(record: dict[str, Any], *names: str) -> dict[str, Any]:
    """JSON knows no tuples."""
    tuples = {
        name: tuple(tuple(one) if isinstance(one, list) else one for one in record[name])
        for name in names
    }
    return {**record, **tuples}


async def take_all(
    framework: tuple[str, str, str],
    converse: Callable[[Path, Case], Awaitable[Outcome]],
    folder: Path,
    file: Path,
) -> None:
    """Take all cases of a folder, one after the other, and write what came out.

    Args:
        framework: its name, version and setup.
        converse: takes one case through it.
        folder: of the cases.
        file: of the outcomes.
    """
    cases = read_cases(folder)
    began = time.process_time()
    outcomes = [await converse(folder, case) for case in cases]
    about = About(
        *framework,
        cpu_s=time.process_time() - began,
        audio_s=sum(case.length for case in cases) / 1000,
    )
    write_outcomes(file, about, outcomes)
