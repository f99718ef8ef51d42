"""The engines' libraries are told to keep off the network; what they then do: `e2e/test_egress`."""

import subprocess
import sys
from pathlib import Path

from models import OFFLINE

_ROOT = Path(__file__).parents[2]


def test_it_stands_whatever_the_environment_said() -> None:
    script = f"import os, models; print([os.environ[name] for name in {list(OFFLINE)}])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=dict.fromkeys(OFFLINE, "0") | {"PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(list(OFFLINE.values()))


def test_the_image_says_the_same() -> None:
    dockerfile = (_ROOT / "docker/offhook.Dockerfile").read_text()
    for name, value in OFFLINE.items():
        assert f" {name}={value}" in dockerfile
