"""Nothing leaves the premises: every connection of a whole demo call is watched.

The hook sees what Python code opens; the engines' C++ libraries open no sockets of their own.
"""

from pathlib import Path

from tests.e2e.conftest import command

#: Runs in the server's process before anything else; the audit hook sees every connect, sendto and
#: look-up that Python makes, whatever library asks for it.
_WATCH = """
import sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        target = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
        host = target[0] if isinstance(target, tuple) else target
        with open({log!r}, "a") as log:
            log.write(f"{{event}} {{host}}\\n")

sys.addaudithook(watch)
"""
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


async def test_demo_speaks_to_loopback_only(tmp_path: Path) -> None:
    log = tmp_path / "connections"
    (tmp_path / "sitecustomize.py").write_text(_WATCH.format(log=str(log)))
    code, _, err = await command("demo", "--json", PYTHONPATH=str(tmp_path))
    assert code == 0, err
    seen = {line.split(" ", 1)[1] for line in log.read_text().splitlines()}
    assert "127.0.0.1" in seen
    assert {host for host in seen if host not in _LOOPBACK and not host.startswith("/")} == set()
