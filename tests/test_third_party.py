"""What is shipped is told: the notices and the bill of materials have every package of the lock
that a running server needs, with its version and licence."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
NOTICES = (ROOT / "docs" / "THIRD-PARTY.md").read_text()


def written(what: str) -> str:
    program = [sys.executable, str(ROOT / "docker" / "sbom.py"), what]
    return subprocess.run(program, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written("sbom"))
    return found


def rows() -> dict[str, tuple[str, str]]:
    found = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", NOTICES, re.MULTILINE)
    return {name: (versions, licence) for name, versions, licence in found}


def locked() -> dict[str, set[str]]:
    """Versions by name, of what may be installed on Linux."""
    found: dict[str, set[str]] = {}
    for name, version, marker in re.findall(r"^(\S+)==(\S+)(?: ; (.*?))? *\\$", LOCK, re.MULTILINE):
        if not re.search("sys_platform == '(win32|emscripten)'", marker):
            found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def test_what_a_server_needs_is_told_with_its_locked_version(bill: dict[str, Any]) -> None:
    told = rows()
    versions = locked()
    packages = {one["name"] for one in bill["components"] if "purl" in one}
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {canonicalize_name(Requirement(one).name) for one in dependencies} <= packages
    for name in packages:
        assert name in told, f"{name} is not told: make notices"
        wanted = versions.get(name)
        assert wanted is None or set(told[name][0].split(", ")) == wanted, "make notices"
        assert told[name][1].strip()


def test_everything_that_the_lock_of_a_server_holds_is_told() -> None:
    assert not locked().keys() - rows().keys()


def test_the_bill_holds_together_and_is_the_same_each_time(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    refs = [one["bom-ref"] for one in bill["components"]]
    assert len(set(refs)) == len(refs)
    for one in bill["components"]:
        assert one["licenses"], one["name"]
    for one in bill["dependencies"]:
        assert {one["ref"], *one["dependsOn"]} <= set(refs)
    assert json.loads(written("sbom")) == bill


def test_what_is_compiled_in_is_told() -> None:
    for name in ("llama.cpp", "espeak-ng", "FFmpeg", "Asterisk's English sounds"):
        assert any(name in row for row in rows()), name
