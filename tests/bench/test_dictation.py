"""Dictated numbers, with the recordings and the recogniser that ship: in a process of its own,
whose clock is simulated."""

import json
import subprocess
import sys
from typing import Any

import pytest

from api.lab.library import SHIPPED
from models.load import STARTER_DIR

pytestmark = pytest.mark.bed

SECONDS = 120


def test_a_number_that_was_asked_for_is_cut_less_often() -> None:
    """However little is understood: the starter models hardly know these voices."""
    command = [sys.executable, "-m", "bench.dictation", "--json", "--each", "1"]
    where = ["--audio", str(SHIPPED), "--whisper", str(STARTER_DIR / "whisper")]
    done = subprocess.run(
        [*command, *where], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    told: dict[str, dict[str, dict[str, Any]]] = json.loads(done.stdout)
    asked, unasked = (told[opening]["all"] for opening in ("asked for", "not asked for"))
    assert asked["numbers"] == unasked["numbers"] == len(told["asked for"]) - 1
    assert asked["cut"] < unasked["cut"]
    assert 300 < asked["end_ms_mean"] < 1600
