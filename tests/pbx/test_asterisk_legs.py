"""Whose SIP leg an inbound call is, asked over a real AGI session of a played Asterisk."""

import asyncio
import re
from collections.abc import Mapping

import pytest

from pbx.asterisk.fastagi import AgiSession
from pbx.asterisk.incoming import Presented, SipLeg, look_at_leg

_ASKED = re.compile(r"GET FULL VARIABLE \$\{CHANNEL\((.+)\)\} ?(.*)\n")
#: A PBX user, the trunk's leg that the user dialled, and a Local channel.
_CHANNELS: Mapping[str, Mapping[str, str]] = {
    "100.1": {"name": "PJSIP/alice-00000001", "pjsip,call-id": "alice's"},
    "200.2": {"name": "PJSIP/trunk-00000002", "pjsip,call-id": "trunk's"},
    "300.3": {"name": "Local/agent@operator-00000003;2"},
}


async def look(unique_id: str, linked_id: str) -> SipLeg:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode():
            asked = _ASKED.fullmatch(line)
            known = {} if asked is None else _CHANNELS.get(asked[2] or unique_id, {})
            value = known.get(asked[1]) if asked else None
            writer.write(f"200 result={'0' if value is None else f'1 ({value})'}\n".encode())
        writer.close()

    server = await asyncio.start_server(play, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        name = _CHANNELS[unique_id]["name"]
        call = Presented(unique_id, name, "+15550100", None, None, None, (), linked_id)
        return await look_at_leg(AgiSession(reader, writer), call)
    finally:
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("unique_id", "linked_id", "trunk", "call_id"),
    [
        ("200.2", "200.2", "trunk", "trunk's"),
        ("200.2", "100.1", "trunk", "trunk's"),  # transferred by who dialled it
        ("200.2", "99.9", "trunk", "trunk's"),  # and that one is gone
        ("300.3", "200.2", "trunk", "trunk's"),
        ("300.3", "99.9", None, None),
    ],
)
async def test_a_sip_channel_tells_of_itself_and_a_local_one_of_whom_it_came_by(
    unique_id: str, linked_id: str, trunk: str | None, call_id: str | None
) -> None:
    leg = await look(unique_id, linked_id)
    assert (leg.trunk, leg.call_id) == (trunk, call_id)
