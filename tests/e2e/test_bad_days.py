"""What an operator gets wrong, and what breaks: a clear error each, and the server stays up."""

import asyncio
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api.cli.doctor import examine
from api.client import OffhookClient
from api.main import serving
from api.settings import Settings
from pbx.audio_port import MediaError
from pbx.testbed import TestBed, persona
from tests.e2e.conftest import command, settings_on
from voice_loop.ports import EngineError


@pytest.fixture
def settings(bed: TestBed, tmp_path: Path) -> Settings:
    base = settings_on(bed, tmp_path)
    recordings = base.recordings.model_copy(update={"dir": tmp_path / "recordings"})
    return base.model_copy(update={"recordings": recordings})


def changed(settings: Settings, section: str, **values: Any) -> Settings:
    """The settings with some keys of one section changed; `ami` is below `pbx`."""
    if section == "ami":
        return changed(settings, "pbx", ami=settings.pbx.ami.model_copy(update=values))
    return settings.model_copy(
        update={section: getattr(settings, section).model_copy(update=values)}
    )


async def wrong(settings: Settings) -> Mapping[str, str]:
    """What `offhook doctor` finds wrong."""
    return {one.check: one.message for one in await examine(settings) if not one.ok}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_doctor_finds_nothing_wrong(settings: Settings) -> None:
    assert await wrong(settings) == {}


async def test_doctor_names_what_is_wrong(settings: Settings, tmp_path: Path) -> None:
    ami_down = await wrong(changed(settings, "ami", port=free_port()))
    assert "pbx.ami.port" in ami_down["ami"]
    password = await wrong(changed(settings, "ami", secret=SecretStr("wrong")))
    assert "pbx.ami.secret" in password["ami"]
    trunk = await wrong(changed(settings, "pbx", trunk="nowhere"))
    assert "nowhere" in trunk["trunk"]
    models = await wrong(changed(settings, "models", set="small", dir=tmp_path))
    assert "offhook models pull small" in " ".join(models.values())
    numbers = await wrong(changed(settings, "calls", numbers=()))
    assert "calls.numbers" in numbers["numbers"]
    (tmp_path / "file").write_text("in the way")
    disk = await wrong(changed(settings, "recordings", dir=tmp_path / "file" / "below"))
    assert "recordings.dir" in disk["recordings"]


async def test_doctor_of_a_freeswitch_that_is_not_there(settings: Settings) -> None:
    esl = settings.pbx.esl.model_copy(update={"port": free_port()})
    found = await wrong(changed(settings, "pbx", kind="freeswitch", esl=esl))
    assert "pbx.esl.port" in found["esl"]
    assert set(found) == {"esl"}


async def test_calls_wait_for_a_freeswitch_that_is_not_there(settings: Settings) -> None:
    esl = settings.pbx.esl.model_copy(update={"port": free_port()})
    async with serving(changed(settings, "pbx", kind="freeswitch", esl=esl)) as server:
        _, key = await server.store.keys.create("test")
        async with OffhookClient(server.url, key) as client:
            placed = await client.create_call({"to": persona("busy").number})
            await asyncio.sleep(0.5)
            assert (await client.get_call(placed.id)).status == "queued"
            assert not (await client.get_health()).ok


async def test_rtp_ports_in_use(settings: Settings) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        full = changed(settings, "rtp", port_min=port, port_max=port)
        with pytest.raises(MediaError, match=r"rtp\.port_m"):
            async with serving(full):
                pass
        assert "rtp.port_m" in (await wrong(full))["rtp"]


async def test_missing_models(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="offhook models pull small"):
        async with serving(changed(settings, "models", set="small", dir=tmp_path)):
            pass


async def test_trunk_missing(settings: Settings) -> None:
    async with serving(changed(settings, "pbx", trunk="nowhere")) as server:
        _, key = await server.store.keys.create("test")
        async with OffhookClient(server.url, key) as client:
            placed = await client.create_call({"to": persona("busy").number})
            async for _ in client.stream_events(placed.id):
                pass
            call = await client.get_call(placed.id)
            assert call.status == "failed"
            assert "nowhere" in (call.error_message or "")
            assert (await client.get_health()).ok
        assert server.media.open_legs == 0


async def test_ami_down_then_up(settings: Settings, bed: TestBed) -> None:
    """The order waits, the server says why, and the call goes out when the PBX is back."""
    port = free_port()
    async with serving(changed(settings, "ami", port=port)) as server:
        _, key = await server.store.keys.create("test")
        async with OffhookClient(server.url, key) as client:
            placed = await client.create_call({"to": persona("busy").number})
            await asyncio.sleep(0.5)
            assert (await client.get_call(placed.id)).status == "queued"
            assert not server.switch.connected

            async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                while data := await reader.read(4096):
                    writer.write(data)
                writer.close()

            async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                up = await asyncio.open_connection("127.0.0.1", bed.ports.ami)
                await asyncio.gather(pipe(reader, up[1]), pipe(up[0], writer))

            gate = await asyncio.start_server(forward, "127.0.0.1", port)
            async with gate, asyncio.timeout(30):
                async for _ in client.stream_events(placed.id):
                    pass
                assert (await client.get_call(placed.id)).status == "busy"


async def test_command_line_errors(tmp_path: Path) -> None:
    code, _, err = await command("serve", OFFHOOK_RTP__PORT_MINN="1")
    assert code == 2
    assert "OFFHOOK_RTP__PORT_MIN" in err
    code, _, err = await command("models", "pull", "huge")
    assert code == 2
    assert "small" in err
    code, _, err = await command(
        "call", "+15550100", "--prompt", "x", "--url", f"http://127.0.0.1:{free_port()}",
        "--key", "sk_x",
    )  # fmt: skip
    assert code == 3
    assert "offhook serve" in err
    store = {"OFFHOOK_STORE__PATH": str(tmp_path / "offhook.db")}
    code, out, _ = await command("keys", "create", "me", "--json", **store)
    assert code == 0
    key = json.loads(out)
    assert key["key"].startswith("sk_")
    assert key["key"].encode() not in (tmp_path / "offhook.db").read_bytes()
    code, out, _ = await command("keys", "list", "--json", **store)
    assert [one["name"] for one in json.loads(out)] == ["me"]
    assert (await command("keys", "revoke", key["id"], **store))[0] == 0
    code, _, err = await command("keys", "revoke", key["id"], **store)
    assert code == 1
    code, out, _ = await command("models", "list", "--json")
    assert {one["name"] for one in json.loads(out)} >= {"starter", "small", "medium", "large"}
