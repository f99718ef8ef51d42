"""Who answered: what the agent makes of cases, beside Asterisk's own AMD() on the same audio.

    python -m bench.answering --whisper DIR [--sounds DIR …] [--voice FILE …] [--audio DIR]
                              [--part tune|closed] [--cache DIR] [--no-amd] [--wrong]

`--sounds` are folders of Asterisk's prompts, one per language (those of the test bed are the
default), `--voice` English Piper voices, `--audio` recordings of people with their manifest
(`models/recordings.py`). `bench/answering_cases.py` makes the cases of them, and says which half
each belongs to: thresholds and phrases are chosen on `tune`, `closed` is reported.

Each case is heard as a call is: through G.711, by the detector of speech and the floor, with the
words of a real Whisper as they would come while somebody speaks, `RECOGNITION_MS` after they were
asked for. `--cache` keeps what it heard. A person counts as taken for a machine if that was so at
any moment. A verdict on a person counts from the end of their first words.

AMD() hears the same audio through two channels of a real Asterisk; it knows HUMAN, MACHINE and
NOTSURE, so whatever is no person is right as MACHINE.
"""

import argparse
import asyncio
import hashlib
import json
import re
import statistics
import sys
import tempfile
import wave
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, get_args

import numpy as np

from bench.answering_cases import Case, cases
from models.recordings import PARTS, RATE
from models.registry import MIN_CONFIDENCE
from models.vad import SileroDetector
from models.whisper import FasterWhisper
from pbx.codecs import PCMU
from pbx.testbed.instance import Asterisk
from pbx.testbed.provide import provide
from voice_loop.answering.watch import MACHINES, AnswerConfig, AnswerWatch, Who
from voice_loop.audio import FRAME_MS, Samples, frame_samples
from voice_loop.floor import FloorConfig, SpeechPaused, SpeechResumed, SpeechStarted, TurnEnded
from voice_loop.phrases import phrases
from voice_loop.ports import Transcript
from voice_loop.speech_input import SpeechInput
from voice_loop.turn_detection import TurnDetector

#: How long words take to come, ms: of a recogniser on a busy machine.
RECOGNITION_MS: Final = 600
BEFORE_MS: Final = 400
AFTER_MS: Final = 6_500
#: Upon these an agent hangs up, or speaks its last words.
_ACTED_ON: Final = ("voicemail", "unavailable", "fax")
#: Line noise, dBFS about.
_NOISE: Final = 12
#: Calls of AMD() at a time, seconds that it may take, and the modules that it needs.
_AT_A_TIME: Final = 24
_AMD_S: Final = 15
_MODULES: Final = (
    *("res_timing_timerfd", "pbx_config", "pbx_spool", "app_amd", "app_playback", "app_verbose"),
    *("format_wav", "func_channel", "func_callerid"),
)


@dataclass(frozen=True)
class Result:
    """What was made of a case."""

    case: Case
    who: Who
    """In the end; of a person, the first machine that they were taken for."""
    evidence: str
    after_words_ms: int | None
    """Of a person: from the end of their first words to the verdict."""


class Hearing(Protocol):
    """What gives the words."""

    async def hear(self, samples: Samples, language: str) -> Transcript: ...


class Ears:
    """A Whisper that remembers what it has heard.

    Args:
        path: its weights.
        cache: folder for what it heard; None where it is not kept.
    """

    def __init__(self, path: Path, cache: Path | None) -> None:
        self._engine = FasterWhisper(path)
        self._name = str(path.resolve())
        self._cache = cache

    async def hear(self, samples: Samples, language: str) -> Transcript:
        key = hashlib.sha256(f"{self._name} {language} ".encode() + samples.tobytes()).hexdigest()
        kept = None if self._cache is None else self._cache / f"{key[:32]}.json"
        if kept is not None and kept.exists():
            return Transcript(**json.loads(kept.read_text()))
        heard = await self._engine.transcribe(samples, RATE, language)
        if kept is not None:
            kept.write_text(json.dumps({"text": heard.text, "confidence": heard.confidence}))
        return heard


def on_the_line(case: Case) -> Samples:
    """A case as it comes over G.711, with a silent line before and after it."""
    before = np.zeros(RATE * BEFORE_MS // 1000, np.int16)
    after = np.zeros(RATE * AFTER_MS // 1000, np.int16)
    whole = np.concatenate([before, case.sound, after]).astype(np.float64)
    whole += np.random.default_rng(len(case.name)).normal(0, _NOISE, whole.size)
    clipped = np.clip(whole, -32768, 32767).astype(np.int16)
    size = frame_samples(RATE)
    line: Samples = PCMU.decode(PCMU.encode(clipped[: clipped.size // size * size]))
    return line


async def judge(case: Case, ears: Hearing, config: AnswerConfig) -> Result:
    """Hear one case from the answer to its end, or to a verdict on which a call ends."""
    language = case.language or "en"
    watch = AnswerWatch(RATE, config, phrases(language).greetings)
    floor = FloorConfig()
    turns = TurnDetector(floor.end_of_turn_ms, floor.longest_pause_ms, language)
    hearing = SpeechInput(SileroDetector(RATE), turns, watch, floor)
    hearing.floor.recognition_ms = RECOGNITION_MS
    seen = [watch.answerer]
    began: int | None = None
    first_words_ms = human_ms = None
    wanted: tuple[int, int, int, bool] | None = None
    over: tuple[int, int] | None = None
    for index, frame in enumerate(on_the_line(case).reshape(-1, frame_samples(RATE))):
        now_ms = (index + 1) * FRAME_MS
        for event in hearing.listen(frame, 0.0, agent_speaks=False, may_speak=True):
            match event:
                case SpeechStarted(onset) if began is None:
                    began = onset * FRAME_MS
                case SpeechPaused(_, last):
                    ended_ms = (last + 1) * FRAME_MS
                    first_words_ms = first_words_ms or ended_ms
                    wanted = (now_ms + RECOGNITION_MS, began or 0, ended_ms, False)
                case SpeechResumed():
                    over = None
                    if human_ms is None:
                        first_words_ms = None
                case TurnEnded(_, last):
                    over = (began or 0, (last + 1) * FRAME_MS)
                case _:
                    pass
        if watch.answerer.who in _ACTED_ON:
            seen.append(watch.answerer)
            break
        if wanted is not None and now_ms >= wanted[0]:
            _, from_ms, to_ms, _ = wanted
            heard = await ears.hear(hearing.utterance(from_ms, to_ms), language)
            watch.words(heard.text, sure=heard.confidence >= MIN_CONFIDENCE, whole=False)
            wanted = None
        if over is not None and wanted is None and not watch.waits:
            heard = await ears.hear(hearing.utterance(*over), language)
            watch.words(heard.text, sure=heard.confidence >= MIN_CONFIDENCE, whole=True)
            began = over = None
        if watch.answerer != seen[-1]:
            seen.append(watch.answerer)
            if watch.answerer.who == "human" and human_ms is None:
                human_ms = now_ms
    found = seen[-1]
    if case.who == "human":
        found = next((one for one in seen if one.who in MACHINES), found)
    took = None
    if case.who == "human" and human_ms is not None and first_words_ms is not None:
        took = human_ms - first_words_ms
    return Result(case, found.who, ", ".join(found.evidence), took)


def matrix(results: Sequence[Result]) -> str:
    """Of each who, what they were taken for."""
    whos = [who for who in get_args(Who) if any(who in (r.case.who, r.who) for r in results)]
    lines = [
        "| is \\ taken for | " + " | ".join(whos) + " | right |",
        "|---" * (len(whos) + 2) + "|",
    ]
    for who in whos:
        mine = Counter(one.who for one in results if one.case.who == who)
        if total := sum(mine.values()):
            cells = " | ".join(str(mine[other]) for other in whos)
            lines.append(f"| {who} | {cells} | {mine[who] / total:.1%} |")
    return "\n".join(lines)


def summary(results: Sequence[Result]) -> str:
    """Shares of right verdicts, and how soon a person is known."""
    right = sum(one.who == one.case.who for one in results)
    human = [one for one in results if one.case.who == "human"]
    machines = [one for one in human if one.who in MACHINES]
    took = sorted(one.after_words_ms for one in human if one.after_words_ms is not None)
    lines = [
        f"{len(results)} cases, {right} right: {right / len(results):.1%}",
        f"people taken for machines: {len(machines)} of {len(human)}"
        f" ({len(machines) / max(1, len(human)):.1%})",
    ]
    if took:
        lines.append(
            f"a person is known {statistics.median(took):.0f} ms after their first words end "
            f"(median; 90 %: {took[int(len(took) * 0.9)]} ms; {len(took)} of {len(human)})"
        )
    return "\n".join(lines)


# -- AMD() -------------------------------------------------------------------------------------


async def amd(found: Sequence[Case]) -> dict[str, tuple[str, str]]:
    """What AMD() makes of each case, by name: HUMAN, MACHINE, NOTSURE, and why."""
    installation = await asyncio.to_thread(provide, lambda _: None)
    with tempfile.TemporaryDirectory(prefix="offhook-amd-") as folder:
        home = Path(folder) / "asterisk"
        asterisk = Asterisk("AMD", installation, home)
        _configure(asterisk)
        for index, case in enumerate(found):
            with wave.open(str(home / f"case-{index}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes(on_the_line(case).astype("<i2").tobytes())
        await asterisk.start()
        try:
            for start in range(0, len(found), _AT_A_TIME):
                await _ask(asterisk, range(start, min(start + _AT_A_TIME, len(found))))
            told = re.findall(r"amd (\d+) (\w+) (\S*)", asterisk.log())
        finally:
            await asterisk.stop()
    return {found[int(index)].name: (status, why) for index, status, why in told}


def _configure(asterisk: Asterisk) -> None:
    loads = "\n".join(f"load = {name}.so" for name in _MODULES)
    (asterisk.etc / "modules.conf").write_text(f"[modules]\nautoload = no\n{loads}\n")
    (asterisk.etc / "amd.conf").write_text("[general]\n")
    (asterisk.etc / "logger.conf").write_text("[logfiles]\nfull = notice,warning,error\n")
    (asterisk.etc / "extensions.conf").write_text(
        "[play]\n"
        f"exten => _X!,1,Answer()\n same => n,Playback({asterisk.home}/case-${{EXTEN}})\n"
        " same => n,Wait(2)\n"
        "[amd]\n"
        "exten => _X!,1,AMD()\n"
        " same => n,Log(NOTICE,amd ${EXTEN} ${AMDSTATUS} ${AMDCAUSE})\n"
        " same => n,Hangup()\n"
    )


async def _ask(asterisk: Asterisk, indices: range) -> None:
    for index in indices:
        asterisk.call_in(
            f"Local/{index}@play/n", caller_id='"" <100>', place=("amd", str(index)), wait_s=_AMD_S
        )
    patience = asyncio.get_running_loop().time() + _AMD_S
    while asyncio.get_running_loop().time() < patience:
        await asyncio.sleep(0.5)
        log = asterisk.log()
        if all(f"amd {index} " in log for index in indices):
            return


def amd_table(found: Sequence[Case], told: dict[str, tuple[str, str]]) -> str:
    """What AMD() took people and everything else for."""
    lines = ["| is | HUMAN | MACHINE | NOTSURE | no answer | right |", "|---" * 6 + "|"]
    for person in (True, False):
        mine = [one for one in found if (one.who == "human") is person]
        counted = Counter(told.get(one.name, ("", ""))[0] for one in mine)
        cells = [counted[status] for status in ("HUMAN", "MACHINE", "NOTSURE")]
        right = counted["HUMAN" if person else "MACHINE"] / max(1, len(mine))
        name = "a person" if person else "anything else"
        lines.append(
            f"| {name} | {' | '.join(map(str, cells))} | {len(mine) - sum(cells)} | {right:.1%} |"
        )
    return "\n".join(lines)


async def run(options: argparse.Namespace) -> None:
    found = await cases(options.sounds, options.voice, options.audio, options.cache)
    mine = [one for one in found if one.part == options.part]
    sys.stdout.write(f"{len(found)} cases, {len(mine)} of them {options.part}\n")
    ears = Ears(options.whisper, options.cache)
    results = []
    for index, case in enumerate(mine):
        results.append(await judge(case, ears, AnswerConfig()))
        if sys.stderr.isatty() or index % 25 == 0:
            sys.stderr.write(f"{index + 1}/{len(mine)}\n")
    sys.stdout.write(f"{matrix(results)}\n{summary(results)}\n")
    if options.wrong:
        for one in results:
            if one.who != one.case.who:
                sys.stdout.write(f"{one.case.name}: {one.who} ({one.evidence})\n")
    if options.amd:
        sys.stdout.write(f"AMD():\n{amd_table(mine, await amd(mine))}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--whisper", type=Path, required=True, help="weights of a Whisper")
    parser.add_argument("--sounds", type=Path, nargs="*", default=[], help="Asterisk's prompts")
    parser.add_argument("--voice", type=Path, nargs="*", default=[], help="English Piper voices")
    parser.add_argument("--audio", type=Path, help="recordings of people")
    parser.add_argument("--part", choices=PARTS, default="closed")
    parser.add_argument("--cache", type=Path, help="folder that keeps what was heard")
    parser.add_argument("--no-amd", dest="amd", action="store_false")
    parser.add_argument("--wrong", action="store_true", help="name the cases that went wrong")
    options = parser.parse_args()
    if options.cache is not None:
        options.cache.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
