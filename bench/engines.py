"""What each engine takes by itself, on this machine: milliseconds, and ratios that travel better.

Speech recognition of what the voice itself says; the language model's first token, cold and with
the call's prefix kept, and replies made together against the same replies one after the other;
the voice's first sound, by the length of the sentence.
`python -m bench.engines [--models SET] [--dir DIR] [--json]`
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.assembly import registry_of
from models.llama import LlamaCpp
from models.load import EngineConfig, LoadedEngines, load_engines
from models.piper import Piper
from models.registry import Wanted
from voice_loop.audio import Samples, resample
from voice_loop.ports import Engines
from voice_loop.prompts import CALL_ANSWERED, Message, system_prompt

SENTENCES = (
    "yes.",
    "no, i can not make it.",
    "can we do thursday at two p m instead?",
    "you can leave it at the front door, i will be at work until six.",
)
LONG_SENTENCES = (
    "i have you down for monday the fourteenth at half past eight with doctor miller, is that so?",
    "please bring along your insurance card and the letter from your family doctor and a list of "
    "the medicines that you have taken within the last four weeks so that we can talk about them.",
)
NAMES = ("kevin", "maria", "anna", "peter", "laura", "simon", "diana", "bruno")
ROUNDS = 5
LINE_RATE = 8000


@dataclass(frozen=True)
class Reply:
    """One reply's times, in ms, and its length in tokens."""

    first_ms: float
    whole_ms: float
    tokens: int


async def measure(engines: LoadedEngines) -> dict[str, Any]:
    """Every figure, in ms unless its name says otherwise."""
    language = engines.languages[0]
    chosen = registry_of(engines).engines(Wanted(language))
    name = next(name for name in engines.voices if engines.spoken_by(name) == language)
    voice = engines.voices[name]
    return {
        "set": engines.model_set.name,
        "speech_recognition": await _recognition(chosen, voice, language),
        "language_model": await _language_model(engines.llm),
        "voice": await _voice(engines.model_set.voices[name]),
    }


async def _recognition(engines: Engines, voice: Piper, language: str) -> list[dict[str, float]]:
    rows = []
    for sentence in SENTENCES:
        speech: Samples = resample(await voice.render(sentence), voice.rate, LINE_RATE)
        took = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            await engines.stt.transcribe(speech, LINE_RATE, language)
            took.append(_since(begun))
        seconds = speech.size / LINE_RATE
        middle = statistics.median(took)
        rows.append({"speech_s": seconds, "ms": middle, "real_time": middle / 1000 / seconds})
    return rows


async def _language_model(llm: LlamaCpp) -> dict[str, Any]:
    cold, warm = [], []
    for round_ in range(ROUNDS):
        key = f"bench {round_}"
        messages = _chat(f"{NAMES[round_]} number {round_}")
        cold.append(await _reply(llm, messages, key))
        messages += [
            {"role": "assistant", "content": "can you make it on monday?"},
            {"role": "user", "content": "yes that works for me"},
        ]
        warm.append(await _reply(llm, messages, key))
        llm.release(key)
    together = []
    for width in (1, 4, 8):
        chats = [_chat(name) for name in NAMES[:width]]
        for chat in chats:  # both ways start with the prompts known
            await _reply(llm, chat, None)
        begun = time.perf_counter()
        alone = [await _reply(llm, chat, None) for chat in chats]
        alone_ms = _since(begun)
        begun = time.perf_counter()
        joint = await asyncio.gather(*(_reply(llm, chat, None) for chat in chats))
        joint_ms = _since(begun)
        together.append(
            {
                "replies": width,
                "first_token_ms": statistics.median(reply.first_ms for reply in joint),
                "tokens_per_s": _rate(joint, joint_ms),
                "times_sequential": _rate(joint, joint_ms) / _rate(alone, alone_ms),
            }
        )
    return {
        "first_token_cold_ms": statistics.median(reply.first_ms for reply in cold),
        "first_token_kept_prefix_ms": statistics.median(reply.first_ms for reply in warm),
        "together": together,
    }


def _chat(name: str) -> list[Message]:
    facts = {"name": name, "day": "monday", "time": "eight fifteen a m", "company": "north garage"}
    return [
        {"role": "system", "content": system_prompt("Confirm the appointment.", facts)},
        {"role": "user", "content": CALL_ANSWERED},
    ]


async def _reply(llm: LlamaCpp, messages: Sequence[Message], key: str | None) -> Reply:
    begun = time.perf_counter()
    first_ms = 0.0
    pieces = []
    async with aclosing(llm.stream(messages, max_tokens=64, cache_key=key)) as stream:
        async for piece in stream:
            first_ms = first_ms or _since(begun)
            pieces.append(piece)
    return Reply(first_ms, _since(begun), llm.count_tokens("".join(pieces)))


def _rate(replies: Sequence[Reply], ms: float) -> float:
    return sum(reply.tokens for reply in replies) / ms * 1000


async def _voice(path: Path) -> list[dict[str, float]]:
    """The first sound and all of it, in CPU time: of whole sentences, and in windows."""
    voices = [Piper(path, in_windows=in_windows, cache_bytes=0) for in_windows in (False, True)]
    rows = []
    try:
        for sentence in (*SENTENCES, *LONG_SENTENCES):
            whole, windows = [await _spoken(voice, sentence) for voice in voices]
            rows.append(
                {
                    "speech_s": windows.seconds,
                    "first_audio_whole_ms": whole.first_ms,
                    "first_audio_ms": windows.first_ms,
                    "real_time": windows.all_ms / 1000 / windows.seconds,
                    "times_whole": windows.all_ms / windows.seconds / whole.all_ms * whole.seconds,
                }
            )
    finally:
        for voice in voices:
            voice.close()
    return rows


@dataclass(frozen=True)
class _Spoken:
    """One sentence's CPU times, in ms, and its length."""

    first_ms: float
    all_ms: float
    seconds: float


async def _spoken(voice: Piper, sentence: str) -> _Spoken:
    """The median of some rounds."""
    first, whole, seconds = [], [], []
    for _ in range(ROUNDS):
        begun = time.process_time()
        samples = 0
        async with aclosing(voice.stream(sentence)) as chunks:
            async for chunk in chunks:
                if samples == 0:
                    first.append((time.process_time() - begun) * 1000)
                samples += chunk.size
        whole.append((time.process_time() - begun) * 1000)
        seconds.append(samples / voice.rate)
    return _Spoken(statistics.median(first), statistics.median(whole), statistics.median(seconds))


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000


def report(figures: dict[str, Any]) -> str:
    """The figures as tables."""
    lines = [
        f"model set {figures['set']}",
        "",
        f"{'speech recognition of':28}{'ms':>9}{'x real time':>13}",
    ]
    lines += [
        f"{row['speech_s']:8.1f} s{'':18}{row['ms']:9.0f}{row['real_time']:13.3f}"
        for row in figures["speech_recognition"]
    ]
    llm = figures["language_model"]
    lines += [
        "",
        f"{'language model, first token':28}{'ms':>9}",
        f"{'  a new call':28}{llm['first_token_cold_ms']:9.1f}",
        f"{'  its next turn':28}{llm['first_token_kept_prefix_ms']:9.1f}",
        f"{'  replies at a time':28}{'first ms':>9}{'tokens/s':>13}{'x sequential':>14}",
    ]
    for row in llm["together"]:
        lines.append(
            f"{row['replies']:10}{'':18}{row['first_token_ms']:9.1f}"
            f"{row['tokens_per_s']:13.0f}{row['times_sequential']:14.2f}"
        )
    lines += [
        "",
        f"{'voice, speaking (CPU)':28}{'first ms':>9}{'x real time':>13}{'whole: first ms':>17}"
        f"{'windows/whole':>15}",
    ]
    for row in figures["voice"]:
        lines.append(
            f"{row['speech_s']:8.1f} s{'':18}{row['first_audio_ms']:9.0f}{row['real_time']:13.3f}"
            f"{row['first_audio_whole_ms']:17.0f}{row['times_whole']:15.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="starter", help="model set")
    parser.add_argument("--dir", type=Path, default=Path("models"), help="where pulled sets are")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    engines = load_engines(
        EngineConfig(set_name=options.models, directory=options.dir, max_sequences=8)
    )
    try:
        figures = asyncio.run(measure(engines))
    finally:
        engines.close()
    sys.stdout.write((json.dumps(figures, indent=2) if options.json else report(figures)) + "\n")


if __name__ == "__main__":
    main()
