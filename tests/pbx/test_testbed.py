"""The test bed itself: its personas, its start and its end."""

import asyncio
import signal
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from pbx.testbed import PERSONAS, SENTENCES, SOUNDS, TestBed, TestBedError, persona
from pbx.testbed import provide as provide_module
from pbx.testbed.loopback import render
from pbx.testbed.personas import dialplan
from pbx.testbed.provide import provide


def test_every_persona_has_a_number_of_its_own_and_is_in_the_dialplan() -> None:
    text = dialplan("/sounds")
    assert len({one.number for one in PERSONAS}) == len(PERSONAS)
    assert len({one.name for one in PERSONAS}) == len(PERSONAS)
    for one in PERSONAS:
        assert text.count(f"exten => {one.number},1,") == 1
        assert persona(one.name) is one
        assert all(f"${{SOUNDS}}/{name}" in "\n".join(one.steps) for name in one.says)


@pytest.mark.parametrize("name", SENTENCES)
def test_every_sentence_is_recorded_for_the_telephone(name: str) -> None:
    with wave.open(str(SOUNDS / f"{name}.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.getnframes() > 1000


async def test_the_carrier_has_taken_its_whole_dialplan(bed: TestBed) -> None:
    shown = await bed.carrier.cli("dialplan show personas")
    for one in PERSONAS:
        assert f"'{one.number}'" in shown
    assert "WARNING" not in bed.carrier.log().partition("Asterisk Ready")[2].partition("\n")[0]


async def test_modules_of_both_are_all_loaded(bed: TestBed) -> None:
    for one in (bed.ours, bed.carrier):
        wanted = [
            line.partition("=")[2].strip()
            for line in (one.etc / "modules.conf").read_text().splitlines()
            if line.startswith("load")
        ]
        running = await one.cli("module show")
        assert [name for name in wanted if name not in running] == []
        assert "declined to load" not in one.log()


async def test_only_the_shipped_events_leave_asterisk(bed: TestBed) -> None:
    reader, writer = await asyncio.open_connection(bed.host, bed.ports.ami)
    writer.write(
        f"Action: Login\r\nUsername: {bed.username}\r\nSecret: {bed.secret}\r\n\r\n".encode()
    )
    await bed.ours.cli("channel originate Local/nobody@nowhere application Wait 0")
    writer.write(b"Action: UserEvent\r\nUserEvent: hidden\r\n\r\nAction: Logoff\r\n\r\n")
    async with asyncio.timeout(10):
        stream = await reader.read()
    writer.close()
    events = {
        line.partition(": ")[2]
        for line in stream.decode().split("\r\n")
        if line.startswith("Event: ")
    }
    assert "FullyBooted" in events
    assert "UserEvent" not in events
    assert "DeviceStateChange" not in events


def test_a_value_that_is_missing_is_an_error_that_names_it(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.conf").write_text("port = @AMI_PORT@, again @AMI_PORT@\nhost = @AMI_BIND@\n")
    with pytest.raises(TestBedError, match="OFFHOOK_ASTERISK_AMI_BIND"):
        render("OFFHOOK_ASTERISK", source, tmp_path / "out", AMI_PORT=1)


def test_values_are_written_as_they_are(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.conf").write_text("secret = @AMI_SECRET@ ; user@example.org\n")
    render("OFFHOOK_ASTERISK", source, tmp_path / "out", AMI_SECRET=r"&\1|/@X@")
    assert (tmp_path / "out/a.conf").read_text() == r"secret = &\1|/@X@ ; user@example.org" + "\n"


def test_without_asterisk_and_without_apt_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(provide_module, "_ADMINISTRATORS_PATH", ())
    with pytest.raises(TestBedError, match="install Asterisk, or use docker"):
        provide(lambda _: None)


def test_an_old_asterisk_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "asterisk"
    program.write_text("#!/bin/sh\necho Asterisk 16.28.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(provide_module, "_ADMINISTRATORS_PATH", ())
    assert provide_module._installed() is None
    program.write_text("#!/bin/sh\necho Asterisk 21.0.1\n")
    found = provide_module._installed()
    assert found is not None
    assert found.version == "Asterisk 21.0.1"


def test_a_broken_download_is_not_taken_for_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in ("apt-get", "dpkg"):
        (tmp_path / tool).write_text("#!/bin/sh\n[ $1 = --print-architecture ] && echo amd64\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(provide_module, "_ADMINISTRATORS_PATH", ())
    for _ in range(2):
        with pytest.raises(TestBedError):
            provide(lambda _: None)
    assert not (tmp_path / "cache/offhook/asterisk-forky-amd64").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_nothing_is_left_when_its_owner_is_interrupted(
    bed: TestBed, number: signal.Signals
) -> None:
    script = (
        "import asyncio, signal\n"
        "from pbx.testbed import TestBed\n"
        "async def main():\n"
        "    async with TestBed() as bed:\n"
        "        print(bed.ours.pid, bed.carrier.pid, bed.ours.home.parent, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        # A shell that put us into the background has SIGINT ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "asyncio.run(main())\n"
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert owner.stdout is not None
    async with asyncio.timeout(30):
        first, second, home = (await owner.stdout.readline()).decode().split()
        owner.send_signal(number)
        await owner.wait()
        while any(_lives(int(pid)) for pid in (first, second)):
            await asyncio.sleep(0.02)
    if number == signal.SIGINT:
        assert not Path(home).exists()  # noqa: ASYNC240


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
