"""The comparison with other frameworks: what is exchanged, and what is made of it."""

import ast
import asyncio
import sys
import threading
import wave
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.peers import exchange, simulated_time
from bench.peers.__main__ import figures, keep, table
from bench.peers.cases import case, cases
from bench.peers.exchange import RATE, About, Case, Outcome
from bench.peers.figures import (
    cpu_share,
    cut_holds,
    latency,
    overlaps,
    quantile,
    silent_after,
    starts_per_minute,
    turns,
)

TURN = Case(
    "turn.wav",
    9000,
    "turn",
    speech=((1000, 2000), (2600, 3000), (3300, 4000)),
    holds=((2000, 2600), (3000, 3300)),
)
WORD = Case("word.wav", 6000, "backchannel", speech=((3000, 3300),), text="right")
NOISE = Case("noise.wav", 30_000, "noise")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    samples = np.arange(-800, 800, dtype=np.int16)
    exchange.write_cases(tmp_path, [(TURN, samples), (WORD, samples[:1600])])
    outcome = Outcome("turn.wav", starts=(1100,), ends=(2400, 4400), agent=((2400, 2600),))
    about = About("Pipecat", "1.14.0", "by default", cpu_s=1.0, audio_s=20.0)
    exchange.write_outcomes(tmp_path / "out.jsonl", about, [outcome])

    assert exchange.read_cases(tmp_path) == [TURN, WORD]
    heard = b"".join(exchange.frames(tmp_path, TURN))
    assert np.array_equal(np.frombuffer(heard, "<i2"), samples)
    assert {len(frame) for frame in exchange.frames(tmp_path, TURN)} == {320}
    assert exchange.read_outcomes(tmp_path / "out.jsonl") == (about, {"turn.wav": outcome})


@pytest.mark.parametrize(
    ("ends", "cut", "late"),
    [
        ((4400,), [], 400),
        ((2000, 4400), [0], 400),
        ((2400, 3299, 4400), [0, 1], 400),
        # Nobody could have heard yet that the person goes on.
        ((2799, 4400), [0], 400),
        ((2800, 4400), [], 400),
        ((1999, 4700, 5000), [], 700),
        ((), [], None),
        ((3999, 10_001), [], None),
    ],
)
def test_a_hold_is_cut_where_the_turn_is_over_within_it(
    ends: tuple[int, ...], cut: list[int], late: int | None
) -> None:
    outcome = Outcome("turn.wav", ends=ends)
    assert cut_holds(TURN, outcome) == cut
    assert latency(TURN, outcome) == late


def test_turns_are_counted_by_condition() -> None:
    noisy = Case("noisy.wav", 9000, "turn", TURN.speech, TURN.holds, conditions="kitchen")
    clean, kitchen = turns(
        [TURN, noisy, WORD],
        {
            "turn.wav": Outcome("turn.wav", ends=(2100, 4500)),
            "noisy.wav": Outcome("noisy.wav"),
        },
    )
    assert (clean.conditions, clean.holds, clean.cut, clean.missed) == ("clean", 2, 1, 0)
    assert (clean.mean, clean.latencies) == (500, (500,))
    assert (kitchen.conditions, kitchen.holds, kitchen.cut, kitchen.missed) == ("kitchen", 2, 0, 1)
    assert kitchen.mean is None


@pytest.mark.parametrize(
    ("agent", "after"),
    [
        (((600, 6000),), None),
        (((600, 3160),), 160),
        (((600, 3160), (3660, 6000)), 160),
        (((600, 3160), (3200, 6000)), None),
        (((600, 3160), (3201, 6000)), 160),
        # It was silent before.
        (((600, 2000), (2500, 6000)), None),
        (((600, 5970),), None),
        ((), 0),
    ],
)
def test_a_gap_is_where_the_agent_is_not_heard(
    agent: tuple[tuple[int, int], ...], after: int | None
) -> None:
    assert silent_after(WORD, Outcome("word.wav", agent=agent)) == after


def test_overlaps_are_counted_by_kind() -> None:
    stop = Case("stop.wav", 6000, "interruption", speech=((3000, 3300),), text="stop")
    outcomes = {
        "word.wav": Outcome("word.wav", agent=((600, 6000),)),
        "stop.wav": Outcome("stop.wav", agent=((600, 3200),)),
    }
    found = overlaps([WORD, stop], outcomes, "interruption")
    assert (found.count, found.silenced, found.silent_after) == (1, 1, (200,))
    assert overlaps([WORD, stop], outcomes, "backchannel").silenced == 0


def test_starts_are_counted_by_the_minute() -> None:
    outcomes = {"noise.wav": Outcome("noise.wav", starts=(500, 9000))}
    assert starts_per_minute([NOISE, TURN], outcomes) == 4


def test_a_quantile_of_few() -> None:
    assert quantile([1, 2, 3], 0.5) == 2
    assert quantile([7], 0.95) == 7
    assert quantile([], 0.5) is None


def test_the_table_has_a_column_for_each() -> None:
    outcomes = {
        "turn.wav": Outcome("turn.wav", ends=(2100, 4500)),
        "word.wav": Outcome("word.wav", agent=((600, 3160),)),
        "stop.wav": Outcome("stop.wav", agent=((600, 3200),)),
        "noise.wav": Outcome("noise.wav"),
    }
    stop = Case("stop.wav", 6000, "interruption", speech=((3000, 3300),), text="stop")
    about = About("Offhook", "abc", "by default", cpu_s=1.0, audio_s=20.0)
    assert cpu_share(about) == 0.05
    one = figures([TURN, WORD, stop, NOISE], about, outcomes)
    lines = table([one, {**one, "name": "Pipecat"}]).splitlines()
    assert lines[0] == "|  | Offhook abc | Pipecat abc |"
    assert "| pauses cut, clean | 1 of 2 (50 %) | 1 of 2 (50 %) |" in lines
    assert "| backchannels that silence the agent | 1 of 1 (100 %) | 1 of 1 (100 %) |" in lines
    assert {line.count("|") for line in lines} == {4}


def test_what_nobody_did_has_no_time() -> None:
    silent = {case.file: Outcome(case.file) for case in (TURN, NOISE)}
    about = About("Offhook", "abc", "by default", cpu_s=1.0, audio_s=20.0)
    one = figures([TURN, NOISE], about, silent)
    assert one["turns"]["clean"]["mean_ms"] is None
    assert "| mean latency (median, 95 %), clean | – |" in table([one])


def test_a_case_is_made_of_whole_frames() -> None:
    truth, samples = case("a.wav", "noise", np.full(RATE + 7, 2.0, np.float32))
    assert (truth.length, samples.size, samples.max()) == (1000, RATE, 32767)


def test_cases_are_made_of_recordings(tmp_path: Path) -> None:
    """An order with a dip, words and noise: pauses are where the truth says, and long enough."""
    random = np.random.default_rng(2)
    (tmp_path / "noise").mkdir()
    manifest = ["set,file,speaker,language,text,words_in_it,seconds,licence_and_source"]

    def record(set_: str, name: str, text: str, tones: Sequence[float], seconds: float) -> None:
        audio = random.normal(0, 1e-3, round(seconds * RATE))
        for begin in tones:
            at = round(begin * RATE)
            audio[at : at + RATE * 2 // 5] += 0.3 * np.sin(np.arange(RATE * 2 // 5))
        if set_ == "orders":
            # A click is no speech.
            audio[round(0.25 * RATE) :][: RATE // 20] += 0.02 * np.sin(np.arange(RATE // 20))
        if set_ == "noise":
            audio = random.normal(0, 0.1, audio.size)
        write_wav(tmp_path / name, audio)
        # Of this speaker all belongs to the closed part.
        manifest.append(f"{set_},{name},c,en,{text},,{seconds},own")

    record("orders", "order.wav", "", (0.5, 1.1, 1.9), 2.8)
    record("orders", "one breath.wav", "", (0.5,), 1.5)
    record("words", "right.wav", "right", (0.3,), 1)
    record("words", "stop.wav", "stop", (0.3,), 1)
    record("noise", "noise/kitchen.flac", "", (), 4)
    (tmp_path / "manifest.csv").write_text("\n".join(manifest), encoding="utf-8")

    made = {case.file: (case, samples) for case, samples in cases(tmp_path, orders=4)}
    kinds = Counter((case.kind, case.conditions) for case, _ in made.values())
    assert kinds == {
        ("turn", "clean"): 1,
        ("turn", "-30 dBFS"): 1,
        ("turn", "kitchen"): 1,
        ("noise", "clean"): 1,
        ("backchannel", "clean"): 2,
        ("interruption", "clean"): 3,
    }
    truth, samples = made["clean-0.wav"]
    assert len(truth.speech) == 3
    assert len(truth.holds) == 2
    assert all(end - begin >= 199 for begin, end in truth.holds)
    for loud, sections in ((True, truth.speech), (False, truth.holds)):
        for begin, end in sections:
            level = np.std(samples[(begin + 20) * 8 : (end - 20) * 8])
            assert bool(level > 2000) is loud
    word, _ = made["backchannel-0.wav"]
    assert (word.text, word.onset) == ("right", 3000)


def write_wav(path: Path, audio: NDArray[np.float64]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes())


def test_the_same_cases_are_kept_once(tmp_path: Path) -> None:
    kept = []
    for name, amplitude in (("a", 1), ("b", 1), ("c", 2)):
        folder = tmp_path / name
        folder.mkdir()
        exchange.write_cases(folder, [(NOISE, np.full(1600, amplitude, np.int16))])
        kept.append(keep(folder, tmp_path / "kept"))
        (kept[0] / "run_pipecat.jsonl").touch()
    assert kept[0] == kept[1] != kept[2]
    assert (kept[1] / "run_pipecat.jsonl").is_file()
    assert not (kept[2] / "run_pipecat.jsonl").is_file()


def test_time_leaps_to_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    for clock in ("monotonic", "time", "time_ns"):
        monkeypatch.setattr(time, clock, getattr(time, clock))
    monkeypatch.setattr(ThreadPoolExecutor, "submit", ThreadPoolExecutor.submit)
    began = time.perf_counter()
    loop = simulated_time.begin()

    async def wait() -> tuple[float, float, str]:
        since, then = time.monotonic(), time.time()
        await asyncio.sleep(3600)
        name = await asyncio.to_thread(lambda: threading.current_thread().name)
        return time.monotonic() - since, time.time() - then, name

    passed, passed_by_date, name = loop.run_until_complete(wait())
    loop.close()
    assert (passed, passed_by_date) == pytest.approx((3600, 3600))
    assert name == threading.current_thread().name
    assert time.perf_counter() - began < 60


def test_other_frameworks_scripts_need_nothing_of_ours() -> None:
    """Their environments have numpy and the standard library."""
    folder = Path(exchange.__file__).parent
    shared = {"exchange", "simulated_time"}
    for name in (*sorted(shared), "run_pipecat", "run_livekit"):
        tree = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
        modules = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.module is not None
                if node.module == "bench.peers":
                    modules |= {f"bench.peers.{alias.name}" for alias in node.names}
                else:
                    modules.add(node.module)
        ours = {
            module for module in modules if module.startswith(("bench", "models", "voice", "api"))
        }
        assert ours <= {f"bench.peers.{one}" for one in shared}
        if name in shared:
            others = {module.partition(".")[0] for module in modules - ours}
            assert others <= {*sys.stdlib_module_names, "numpy"}
