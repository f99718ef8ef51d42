"""Free ports on loopback, and a PBX's configuration written for them."""

import os
import random
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from pbx.testbed.provide import TestBedError

HOST: Final = "127.0.0.1"
SHIPPED: Final = Path(__file__).resolve().parents[2] / "docker"
"""What the images are built from."""
RTP_PORTS: Final = 600
"""UDP ports that one PBX of the test bed gets for audio."""


def render(prefix: str, source: Path, target: Path, **values: str | int) -> None:
    """Write the configuration with the very script that the Docker images use.

    Args:
        prefix: of the variables, such as `OFFHOOK_ASTERISK`.
        source: folder of the files with `@NAME@` in them.
        target: folder that gets them, with `values[NAME]` instead.

    Raises TestBedError.
    """
    script = SHIPPED / "render"
    if not script.exists():
        raise TestBedError(f"{script} is missing: the test bed needs Offhook's source checkout")
    environment = {f"{prefix}_{name}": str(value) for name, value in values.items()}
    done = subprocess.run(
        ["sh", str(script), prefix, str(source), str(target)],
        env={"PATH": os.environ.get("PATH", os.defpath), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode != 0:
        raise TestBedError(f"could not write {source}'s configuration: {done.stderr.strip()}")


def free_ports(kind: socket.SocketKind, count: int) -> list[int]:
    """As many different ports of loopback that nobody uses now."""
    with ExitStack() as stack:
        ports: list[int] = []
        for _ in range(count):
            one = stack.enter_context(socket.socket(socket.AF_INET, kind))
            one.bind((HOST, 0))
            ports.append(int(one.getsockname()[1]))
        return ports


def free_block(count: int) -> int:
    """The first of `count` UDP ports in a row that nobody uses now.

    Above those that FreeSWITCH is told to take for `unicast`, below the ephemeral range.

    Raises TestBedError.
    """
    for _ in range(50):
        first = random.randrange(22_000, 32_000 - count, 2)
        try:
            with ExitStack() as stack:
                for port in range(first, first + count):
                    one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    one.bind(("", port))
        except OSError:
            continue
        return first
    raise TestBedError("no free block of UDP ports on this machine")
