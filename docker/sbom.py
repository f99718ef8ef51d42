"""What is shipped with Offhook: `docs/THIRD-PARTY.md`, and a bill of materials (CycloneDX 1.6).

    python docker/sbom.py notices > docs/THIRD-PARTY.md
    python docker/sbom.py sbom > dist/offhook.cdx.json

The packages are those that pyproject.toml asks for and what these ask for in turn, in the versions
of requirements.lock; their licences are told by the installed packages. Nothing is downloaded.
"""

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_CLASSIFIER = "License :: "

#: What is no Python package of its own: name, where it is, licence (SPDX).
BUNDLED = (
    ("llama.cpp and ggml", "llama-cpp-python", "MIT"),
    ("espeak-ng with its data", "piper-tts", "GPL-3.0-or-later"),
    ("FFmpeg", "av", "GPL-3.0-or-later"),
    ("x264", "av", "GPL-2.0-or-later"),
    ("x265", "av", "GPL-2.0-or-later"),
    ("GnuTLS, Nettle, GMP, libunistring", "av", "LGPL-3.0-or-later OR GPL-2.0-or-later"),
    ("LAME", "av", "LGPL-2.0-or-later"),
    ("ALSA's library", "av", "LGPL-2.1-or-later"),
    ("OpenCORE AMR", "av", "Apache-2.0"),
    ("libvpx, libwebp, Opus, SVT-AV1", "av", "BSD-3-Clause"),
    ("dav1d", "av", "BSD-2-Clause"),
    ("libdrm, libvpl, libxcb, libXau", "av", "MIT"),
    ("OpenBLAS", "numpy", "BSD-3-Clause"),
    ("GCC's run-time libraries", "ctranslate2, numpy", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    ("oneDNN", "ctranslate2", "Apache-2.0"),
    ("libsoxr", "soxr", "LGPL-2.1-or-later"),
    ("WebRTC's voice activity detection", "webrtcvad-wheels", "BSD-3-Clause"),
    ("Silero VAD (weights)", "faster-whisper", "MIT"),
    ("libev", "gevent", "BSD-2-Clause OR GPL-2.0-or-later"),
    ("libuv, c-ares", "gevent", "MIT"),
    ("OpenSSL", "cryptography", "Apache-2.0"),
    ("Starter models, speech detector, sounds", "Offhook", "GPL-3.0-or-later AND CC0-1.0"),
    ("Recordings of people (laboratory)", "Offhook", "Apache-2.0 AND CC-BY-4.0 AND MIT"),
    ("htmx, its SSE extension", "Offhook (console)", "0BSD"),
    ("wavesurfer.js", "Offhook (console)", "BSD-3-Clause"),
    ("Asterisk", "image offhook-asterisk, test bed", "GPL-2.0-only"),
    ("Asterisk's English sounds", "image offhook-carrier, test bed", "CC-BY-SA-3.0"),
    ("PostgreSQL", "its own image", "PostgreSQL"),
)


@dataclass(frozen=True)
class Component:
    """A package that is shipped."""

    name: str
    versions: tuple[str, ...]
    """More than one where they depend on Python's version."""
    licence: str
    needs: tuple[str, ...]


def components() -> list[Component]:
    """Every package that a running server has, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked: dict[str, list[str]] = {}
    for name, version in _PINNED.findall((ROOT / "requirements.lock").read_text()):
        locked.setdefault(canonicalize_name(name), []).append(version)
    found: dict[str, Component] = {}
    waiting = list(_wanted(project["dependencies"], set()))
    while waiting:
        name, extras = waiting.pop()
        if name in found and not extras:
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is not installed: make setup") from None
        needs = dict(_wanted(installed.requires or [], extras))
        versions = tuple(locked.get(name, [installed.version]))
        found[name] = Component(name, versions, _licence(installed.metadata), tuple(sorted(needs)))
        waiting += [(other, more) for other, more in needs.items() if other not in found]
    return [found[name] for name in sorted(found)]


def _wanted(requirements: list[str], extras: set[str]) -> Iterator[tuple[str, set[str]]]:
    for text in requirements:
        one = Requirement(text)
        if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in ("", *extras)):
            yield canonicalize_name(one.name), one.extras


def _licence(metadata: Any) -> str:
    """As the package tells it, in one line."""
    if expression := metadata.get("License-Expression"):
        return str(expression)
    told = str(metadata.get("License") or "").strip().partition("\n")[0]
    classified = [
        one.rpartition(" :: ")[2]
        for one in metadata.get_all("Classifier") or ()
        if one.startswith(_CLASSIFIER) and one.count(" :: ") > 1
    ]
    return told if told and len(told) < 60 and told != "Dual License" else " or ".join(classified)


def notices() -> str:
    """The page of the documentation."""
    lines = [
        "# Third-party notices",
        "",
        "Offhook is [GPL-3.0-or-later](LICENSE). What it is shipped with (in the image and `.venv`",
        "after `make setup`) has licences of its own; they lie in each package's `*.dist-info`.",
        "`make notices` writes this page, `make sbom` the same as CycloneDX JSON. Weights that",
        "`offhook models pull` fetches are told of in [models.md](models.md).",
        "",
        "| package | version | licence |",
        "|---|---|---|",
        *(f"| {one.name} | {', '.join(one.versions)} | {one.licence} |" for one in components()),
        "",
        "Compiled in, or shipped beside these:",
        "",
        "| what | in | licence |",
        "|---|---|---|",
        *(f"| {what} | {where} | {licence} |" for what, where, licence in BUNDLED),
        "",
    ]
    return "\n".join(lines)


def bill() -> dict[str, Any]:
    """The bill of materials; the same for the same lock."""
    found = components()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    refs = {one.name: [_purl(one.name, each) for each in one.versions] for one in found}
    packages = [
        {
            "type": "library",
            "bom-ref": purl,
            "name": one.name,
            "version": each,
            "purl": purl,
            "licenses": [{"license": {"name": one.licence}}],
        }
        for one in found
        for purl, each in zip(refs[one.name], one.versions, strict=True)
    ]
    bundled = [
        {
            "type": "library",
            "bom-ref": f"bundled:{index}",
            "name": what,
            "description": f"in {where}",
            "licenses": [{"expression": licence}],
        }
        for index, (what, where, licence) in enumerate(BUNDLED)
    ]
    needs = [
        {"ref": ref, "dependsOn": [other for need in one.needs for other in refs[need]]}
        for one in found
        for ref in refs[one.name]
    ]
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "offhook",
                "name": "offhook",
                "version": version,
                "licenses": [{"license": {"id": "GPL-3.0-or-later"}}],
            }
        },
        "components": packages + bundled,
        "dependencies": needs,
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body))
    return {**body, "serialNumber": serial.urn}


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["notices"]:
            sys.stdout.write(notices())
        case ["sbom"]:
            json.dump(bill(), sys.stdout, indent=2)
            sys.stdout.write("\n")
        case _:
            raise SystemExit(__doc__)
