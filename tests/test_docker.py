"""The files for Docker and systemd, as far as they can be looked at without either."""

import configparser
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

DOCKER = Path(__file__).parents[1] / "docker"
COMPOSE = sorted(DOCKER.glob("compose*.yaml"))
DOCKERFILES = [*DOCKER.glob("*.Dockerfile"), *DOCKER.glob("*/Dockerfile")]
UNIT = DOCKER / "offhook.service"


def services() -> dict[str, dict[str, Any]]:
    """Each service, whole, by the file and its name."""
    found = {}
    for file in COMPOSE:
        for name, service in yaml.safe_load(file.read_text())["services"].items():
            if "build" in service or "image" in service:
                found[f"{file.name}: {name}"] = service
    return found


@pytest.mark.parametrize("name", services())
def test_no_container_can_become_more_than_it_is(name: str) -> None:
    service = services()[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name.endswith(": freeswitch"):  # the operator's own image
        return
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert "/tmp" in service["tmpfs"]
    assert bool(service.get("cap_add")) == name.endswith(": postgresql")


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.relative_to(DOCKER)))
def test_images_are_small_and_not_roots(file: Path) -> None:
    text = file.read_text()
    for install in re.findall(r"apt-get install.*?(?=\n[A-Z])", text, re.DOTALL):
        assert "--no-install-recommends" in install
        assert "rm -rf /var/lib/apt/lists/*" in install
    assert not re.search(r"^FROM (?!\$\{)", text, re.MULTILINE), "name it in an ARG"
    if file.parent.name != "freeswitch":
        assert re.search(r"^USER (offhook|asterisk)$", text, re.MULTILINE)
    if file.name != "carrier.Dockerfile":
        assert "\nHEALTHCHECK " in text


def test_released_images_are_named_with_their_whole_version() -> None:
    named = re.findall(
        r"(?:image:|IMAGE=) ?([a-z/]+):(\S+)",
        "\n".join(file.read_text() for file in (*DOCKERFILES, *COMPOSE)),
    )
    for name, tag in named:
        version = {"python": r"3\.\d+\.\d+-", "postgres": r"\d+\.\d+-", "debian": "forky-"}[name]
        assert re.match(version, tag), (name, tag)


def test_the_base_images_are_fixed_to_what_their_tags_are(tmp_path: Path) -> None:
    """Twice: what is there is renewed, not added to. The registry is played."""
    copy = tmp_path / "docker"
    shutil.copytree(DOCKER, copy)
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    path = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    for digit in "12":
        digest = "sha256:" + digit * 64
        program.write_text(f"#!/bin/sh\necho {digest}\n")
        program.chmod(0o755)
        subprocess.run([copy / "pin"], env=path, check=True, capture_output=True)
        texts = [file.read_text() for file in copy.rglob("*") if file.is_file()]
        assert sum(text.count(f"@{digest}") for text in texts) == 4
        assert "ARG PYTHON_IMAGE=python:" in (copy / "offhook.Dockerfile").read_text()
    assert sum(len(re.findall("@sha256:[0-9a-f]{64}", text)) for text in texts) == 4
    program.write_text("#!/bin/sh\necho no such image\n")
    failed = subprocess.run([copy / "pin"], env=path, check=False, capture_output=True, text=True)
    assert failed.returncode == 1
    assert "no digest" in failed.stderr


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_a_container_is_as_healthy_as_its_server(status: int, healthy: bool) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = {"OFFHOOK_SERVER__PORT": str(server.server_port), "http_proxy": "http://192.0.2.1"}
        program = [sys.executable, str(DOCKER / "healthy")]
        code = subprocess.run(
            program, env=os.environ | port, check=False, capture_output=True, timeout=60
        ).returncode
        server.shutdown()
    assert (code == 0) == healthy


# -- systemd ---------------------------------------------------------------------------------------


def unit() -> Mapping[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT)
    return parser["Service"]


def test_the_unit_stops_calls_in_time_and_has_sockets_for_them() -> None:
    service = unit()
    assert (service["User"], service["StateDirectory"]) == ("offhook", "offhook")
    assert (service["KillSignal"], service["UMask"]) == ("SIGTERM", "0077")
    assert int(service["TimeoutStopSec"]) >= 30
    assert int(service["LimitNOFILE"]) >= 16384
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "yes")
    # oneDNN compiles at run time: with it Whisper fails ("could not create a primitive").
    assert "MemoryDenyWriteExecute" not in service


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_systemd_understands_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub("^ExecStart=.*", "ExecStart=/bin/true", UNIT.read_text(), flags=re.M))
    for arguments in (["verify"], ["security", "--offline=true", "--threshold=20"]):
        program = ["systemd-analyze", *arguments, str(copy)]
        found = subprocess.run(program, check=False, capture_output=True, text=True, timeout=60)
        assert found.returncode == 0, found.stdout + found.stderr
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], check=False, capture_output=True, text=True
    )
    assert copy.name not in verified.stderr
