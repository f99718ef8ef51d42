"""`offhook lab` as a user runs it: real line, the whole server, stub engines, what ships."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

SILENT = """
[agent]
first_sentence = "hello, what would you like?"
first_sentence_mode = "static"
instructions = "Take the order."
[[steps]]
pause_ms = 7000
"""
ONCE = """
[agent]
first_sentence = "hello, what would you like?"
first_sentence_mode = "static"
instructions = "Take the order."
[stub]
replies = ["thank you, that will be ready in a few minutes."]
[line]
loss = 0.01
jitter_ms = 20
[[steps]]
listen = true
[[steps]]
say = "orders"
[[steps]]
listen = true
[[steps]]
press = "12#"
[[steps]]
listen = true
at_most_ms = 4000
"""


async def lab(*arguments: str) -> tuple[int, str, str]:
    """Run it; gives (exit code, stdout, stderr)."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("offhook")),
        "lab",
        *arguments,
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(100):
            out, err = await process.communicate()
    except TimeoutError:
        process.terminate()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_callers_are_heard_as_they_speak(tmp_path: Path) -> None:
    """Who never speaks is not answered, who speaks once is answered once."""
    (tmp_path / "silent.toml").write_text(SILENT, encoding="utf-8")
    (tmp_path / "once.toml").write_text(ONCE, encoding="utf-8")
    code, out, err = await lab(
        str(tmp_path / "silent.toml"), str(tmp_path / "once.toml"),
        "--json", "-", "--picture", str(tmp_path), "--out", str(tmp_path),
    )  # fmt: skip
    assert code == 0, err
    told: dict[str, Any] = json.loads(out)
    silent, once = (told["scenarios"][name] for name in ("silent", "once"))
    assert silent["responded"]["of"] == 0
    assert silent["false_starts"] == silent["phantom_turns"] == 0
    assert once["responded"] == {"count": 1, "of": 1, "share": 1.0}
    assert once["words_heard"]["share"] == 1.0
    assert 0 < once["response_ms"]["p50"] < 3000
    # What the server measured at its socket is what the caller heard, but for two PBXs between.
    assert abs(once["response_ms"]["p50"] - once["wire_ms"]["p50"]) < 400
    assert once["unheard_words_kept"] == {
        "count": 0,
        "of": once["unheard_words_kept"]["of"],
        "share": 0.0,
    }
    (call,) = (one for one in told["calls"] if one["scenario"] == "once")
    speakers = [turn["speaker"] for turn in call["turns"]]
    assert speakers[:3] == ["agent", "person", "agent"]
    assert [turn["text"] for turn in call["turns"] if turn["speaker"] == "keypad"] == ["12#"]
    assert "TurnEnded" in {one["name"] for one in call["decisions"]}
    assert (tmp_path / "000-silent.wav").stat().st_size > 4 * 8000 * 6
    ElementTree.parse(tmp_path / "001-once.svg")


async def test_a_wrong_scenario_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("steps = [{ sya = 'orders' }]", encoding="utf-8")
    code, _, err = await lab(str(tmp_path / "wrong.toml"))
    assert code == 2
    assert "did you mean say?" in err.replace("\n", " ")
