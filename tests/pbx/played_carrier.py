"""A carrier behind a trunk that is played: to each INVITE it gives the answers it is told to.

A datagram socket on loopback; it speaks as much SIP (RFC 3261) as refusals need.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final, cast

from pbx.testbed import TestBed

_COPIED: Final = re.compile(r"(?im)^(?:via|from|call-id|cseq):.*$")
_TO: Final = re.compile(r"(?im)^to:.*$")
_CALL_ID: Final = re.compile(r"(?im)^call-id:\s*(\S+)")
_SEQUENCE: Final = re.compile(r"(?im)^cseq:\s*(\d+)")
_CHALLENGE: Final = 'Digest realm="carrier", nonce="abc", algorithm=MD5'
_CHALLENGES: Final = {
    401: f"WWW-Authenticate: {_CHALLENGE}\r\n",
    407: f"Proxy-Authenticate: {_CHALLENGE}\r\n",
}
_PAUSE_S: Final = 0.1

Answer = int | tuple[int, int]
"""A SIP status; or that, and the Q.850 cause of its Reason header (RFC 3326)."""


class PlayedCarrier(asyncio.DatagramProtocol):
    """Answers every call in the same way.

    Args:
        answers: SIP statuses, in order; none: it is silent, to OPTIONS as well.
        wait_s: seconds until the first of them.
    """

    def __init__(self, answers: Sequence[Answer], wait_s: float = 0.0) -> None:
        self.calls: list[str] = []
        """SIP Call-IDs of the INVITEs that came, each once."""
        self.heard_at = 0.0
        """When the latest request of a call came, be it sent again: seconds of the loop's clock."""
        self._answers = answers
        self._wait_s = wait_s
        self._answered: set[tuple[str, str]] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own is no subclass of it before Python 3.12.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode(errors="replace")
        call_id, sequence = _CALL_ID.search(text), _SEQUENCE.search(text)
        if not text.startswith("OPTIONS "):
            self.heard_at = asyncio.get_running_loop().time()
        if text.startswith("INVITE ") and call_id is not None and sequence is not None:
            if call_id[1] not in self.calls:
                self.calls.append(call_id[1])
            if (call_id[1], sequence[1]) not in self._answered:  # else it was sent again
                self._answered.add((call_id[1], sequence[1]))
                task = asyncio.get_running_loop().create_task(self._answer(text, addr))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        elif self._answers and text.startswith(("OPTIONS ", "CANCEL ")):
            self._send(text, 200, addr)

    async def _answer(self, invite: str, addr: tuple[str, int]) -> None:
        await asyncio.sleep(self._wait_s)
        for answer in self._answers:
            status, cause = (answer, None) if isinstance(answer, int) else answer
            reason = "" if cause is None else f"Reason: Q.850;cause={cause}\r\n"
            self._send(invite, status, addr, reason)
            await asyncio.sleep(_PAUSE_S)

    def _send(self, request: str, status: int, addr: tuple[str, int], more: str = "") -> None:
        assert self._transport is not None
        lines = [one[0].rstrip("\r") for one in _COPIED.finditer(request)]
        to = _TO.search(request)
        assert to is not None
        lines.append(to[0].rstrip("\r") + (";tag=carrier" if status > 100 else ""))
        head = "\r\n".join([f"SIP/2.0 {status} Played", *lines])
        answer = f"{head}\r\n{_CHALLENGES.get(status, '')}{more}Content-Length: 0\r\n\r\n"
        self._transport.sendto(answer.encode(), addr)


@asynccontextmanager
async def carriers(
    answers: Mapping[str, Sequence[Answer]], wait_s: float = 0.0
) -> AsyncIterator[dict[str, tuple[PlayedCarrier, int]]]:
    """Played carriers by name, each with its UDP port on loopback."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        made = {}
        for name, statuses in answers.items():
            transport, carrier = await loop.create_datagram_endpoint(
                partial(PlayedCarrier, statuses, wait_s), local_addr=("127.0.0.1", 0)
            )
            stack.callback(transport.close)
            made[name] = carrier, int(transport.get_extra_info("sockname")[1])
        yield made


@asynccontextmanager
async def more_trunks(
    bed: TestBed, answers: Mapping[str, Sequence[Answer]], wait_s: float = 0.0
) -> AsyncIterator[dict[str, PlayedCarrier]]:
    """Further trunks of the bed's Asterisk, by name, to carriers that are played."""
    file = bed.ours.etc / "pjsip_registration.conf"
    async with carriers(answers, wait_s) as made:
        file.write_text("".join(_endpoint(name, port) for name, (_, port) in made.items()))
        try:
            await _reload(bed, set(made))
            yield {name: carrier for name, (carrier, _) in made.items()}
        finally:
            file.unlink()
            await _reload(bed, set())


def _endpoint(name: str, port: int) -> str:
    return (
        f"[{name}]\ntype=endpoint\ntransport=transport-udp\ncontext=from-trunk\n"
        f"disallow=all\nallow=ulaw\naors={name}-aor\n"
        f"[{name}-aor]\ntype=aor\ncontact=sip:{TestBed.host}:{port}\n"
    )


async def _reload(bed: TestBed, wanted: set[str]) -> None:
    await bed.ours.cli("module reload res_pjsip.so")
    async with asyncio.timeout(20):
        while True:
            shown = await bed.ours.cli("pjsip show endpoints")
            if all(f" {name} " in shown for name in wanted):
                return
            await asyncio.sleep(0.1)
