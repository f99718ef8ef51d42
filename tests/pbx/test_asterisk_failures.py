"""Bad days: the AMI link is cut, Asterisk dies. Every attempt ends once, none is dialled twice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from pbx.asterisk import AsteriskConfig, AsteriskSwitch
from pbx.media import MediaServer
from pbx.switch import Answered, Ended, Ringing, SwitchRefused, SwitchUnavailable
from pbx.testbed import TestBed
from tests.pbx.calls import (
    PATIENCE_S,
    Ear,
    cause,
    config,
    dial,
    kinds,
    no_channels,
    until,
    until_over,
)


class Cable:
    """A TCP relay to AMI that can be cut, and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.mute = False
        """Swallows what our side sends, while the connection stays."""
        self.port = 0

    async def plug_in(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Drop every connection and refuse new ones."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, far_writer}
        for source, sink, ours in ((reader, far_writer, True), (far_reader, writer, False)):
            task = asyncio.create_task(self._pump(source, sink, ours))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, ours: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if not (self.mute and ours):
                    sink.write(data)
                    await sink.drain()
        sink.close()


@pytest_asyncio.fixture(loop_scope="session")
async def cable(bed: TestBed) -> AsyncIterator[Cable]:
    one = Cable(bed.host, bed.ports.ami)
    await one.plug_in()
    yield one
    await one.cut()


@pytest_asyncio.fixture(loop_scope="session")
async def wired(bed: TestBed, media: MediaServer, cable: Cable) -> AsyncIterator[AsteriskSwitch]:
    one = AsteriskSwitch(
        replace(config(bed), port=cable.port, action_timeout_s=1.0, link_grace_s=5.0), media
    )
    await one.start()
    yield one
    await one.close()
    await no_channels(bed)


async def connected(switch: AsteriskSwitch, wanted: bool) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while switch.connected is not wanted:
            await asyncio.sleep(0.01)


async def test_a_call_outlives_a_cut_link(
    bed: TestBed, wired: AsteriskSwitch, cable: Cable
) -> None:
    calls = len(bed.dialled())
    attempt = await wired.originate(dial("echo"))
    ear = Ear(attempt.rate, tone_hz=620)
    attempt.attach(ear)
    await until(attempt, Answered)

    await cable.cut()
    await connected(wired, False)
    before = len(ear.heard)
    with pytest.raises(SwitchUnavailable):
        await wired.originate(dial("busy"))
    await cable.plug_in()
    await connected(wired, True)

    assert await wired.living_channels() == [attempt.id]
    async with asyncio.timeout(PATIENCE_S):
        while len(ear.heard) < before + 50:
            await asyncio.sleep(0.02)
    assert ear.pitch() == pytest.approx(620, abs=3)
    await attempt.hang_up()
    assert cause(await until_over(attempt)).state == "completed"
    assert len(bed.dialled()) == calls + 1


async def test_what_happened_meanwhile_is_caught_up(
    bed: TestBed, wired: AsteriskSwitch, cable: Cable
) -> None:
    answered_meanwhile = await wired.originate(dial("late answerer"))
    ended_meanwhile = await wired.originate(dial("hasty"))
    await cable.cut()
    await connected(wired, False)
    async with asyncio.timeout(PATIENCE_S):
        while "hasty" in str(await bed.ours.channels()) or not any(
            channel.state == "Up" and channel.name.startswith("PJSIP")
            for channel in await bed.ours.channels()
        ):
            await asyncio.sleep(0.05)
        while len(await bed.ours.channels()) > 2:
            await asyncio.sleep(0.05)
    await cable.plug_in()

    end = cause(await until_over(ended_meanwhile))
    assert (end.state, end.name) == ("failed", "pbx_lost_call")
    assert "link was down" in end.message
    await until(answered_meanwhile, Answered)
    await answered_meanwhile.hang_up()
    assert cause(await until_over(answered_meanwhile)).state == "completed"


async def test_a_hang_up_during_the_cut_is_made_good(
    bed: TestBed, wired: AsteriskSwitch, cable: Cable
) -> None:
    attempt = await wired.originate(dial("no answer", ring_timeout_s=60))
    await until(attempt, Ringing)
    await cable.cut()
    await connected(wired, False)
    await attempt.hang_up()
    assert len(await bed.ours.channels()) == 2
    await cable.plug_in()

    assert cause(await until_over(attempt)).state == "canceled"
    await no_channels(bed)


async def test_an_originate_of_unknown_fate_is_not_repeated(
    bed: TestBed, wired: AsteriskSwitch, cable: Cable
) -> None:
    calls = len(bed.dialled())
    await wired.living_channels()
    cable.mute = True
    with pytest.raises(SwitchUnavailable):
        await wired.originate(dial("silent"))
    cable.mute = False
    await cable.cut()
    await connected(wired, False)
    await cable.plug_in()
    await connected(wired, True)

    assert await wired.living_channels() == []
    assert len(bed.dialled()) == calls


async def test_a_link_that_stays_down_ends_the_calls(
    bed: TestBed, media: MediaServer, cable: Cable
) -> None:
    switch = AsteriskSwitch(
        replace(config(bed), port=cable.port, link_grace_s=0.3, action_timeout_s=1.0), media
    )
    await switch.start()
    attempt = await switch.originate(dial("silent"))
    await until(attempt, Answered)
    await cable.cut()

    events = await until_over(attempt)

    assert kinds(events) == [Ended]
    assert cause(events).name == "pbx_lost_call"
    assert len(await bed.ours.channels()) == 2
    await cable.plug_in()
    await connected(switch, True)
    await no_channels(bed)  # the call that was given up is hung up at last
    await switch.close()


async def test_a_channel_of_an_earlier_life_can_be_hung_up(
    bed: TestBed, media: MediaServer, cable: Cable
) -> None:
    earlier = AsteriskSwitch(replace(config(bed), port=cable.port, link_grace_s=0.1), media)
    await earlier.start()
    attempt = await earlier.originate(dial("silent"))
    await until(attempt, Answered)
    await cable.cut()
    await until_over(attempt)
    await earlier.close()

    later = AsteriskSwitch(config(bed), media)
    await later.start()
    assert await later.living_channels() == [attempt.id]
    await later.hang_up_channel(attempt.id)
    await no_channels(bed)
    await later.hang_up_channel(attempt.id)
    await later.close()


async def test_asterisk_dies_in_mid_call(bed: TestBed, media: MediaServer) -> None:
    switch = AsteriskSwitch(replace(config(bed), link_grace_s=10), media)
    await switch.start()
    names = ["echo", "silent", "no answer"]
    attempts = [await switch.originate(dial(name, ring_timeout_s=60)) for name in names]
    await until(attempts[0], Answered)

    await bed.ours.kill()
    await connected(switch, False)
    await bed.restart_ours()

    for attempt in attempts:
        assert cause(await until_over(attempt)).name == "pbx_lost_call"
    await connected(switch, True)
    # Nobody said goodbye to the carrier: its sides of the calls are for us to clear.
    await bed.carrier.cli("channel request hangup all")
    await no_channels(bed)
    again = await switch.originate(dial("busy"))
    assert cause(await until_over(again)).state == "busy"
    await switch.close()


async def test_the_operator_hangs_a_leg_up_on_the_console(
    bed: TestBed, wired: AsteriskSwitch
) -> None:
    for kind in ("UnicastRTP", "PJSIP"):
        attempt = await wired.originate(dial("silent"))
        await until(attempt, Answered)
        (leg,) = [one.name for one in await bed.ours.channels() if one.name.startswith(kind)]
        await bed.ours.cli(f"channel request hangup {leg}")

        events = await until_over(attempt)

        assert kinds(events) == [Ended]
        assert cause(events).state == "completed"


async def test_closing_hangs_everything_up(bed: TestBed, media: MediaServer) -> None:
    switch = AsteriskSwitch(config(bed), media)
    await switch.start()
    attempts = [await switch.originate(dial(name)) for name in ("echo", "silent", "no answer")]
    await until(attempts[0], Answered)

    await switch.close()

    for attempt in attempts:
        assert isinstance((await until_over(attempt))[-1], Ended)
    assert await bed.ours.channels() == []
    assert not switch.connected


async def test_the_doctor_names_what_is_wrong(bed: TestBed, media: MediaServer) -> None:
    registration = bed.ours.etc / "pjsip_registration.conf"
    registration.write_text(
        "[login]\ntype = registration\nserver_uri = sip:127.0.0.1:9\n"
        "client_uri = sip:me@127.0.0.1:9\n"
        "[deaf]\ntype = endpoint\naors = deaf-aor\nallow = ulaw\n"
        "[deaf-aor]\ntype = aor\ncontact = sip:127.0.0.1:9\nqualify_frequency = 60\n"
        "qualify_timeout = 0.2\n"
        "[empty]\ntype = endpoint\nallow = ulaw\n"
    )
    await bed.ours.cli("module reload res_pjsip.so")
    await bed.ours.cli("module unload app_senddtmf.so")
    async with asyncio.timeout(PATIENCE_S):
        while "deaf" not in await bed.ours.cli("pjsip show contacts"):
            await asyncio.sleep(0.05)
        await bed.ours.cli("pjsip qualify deaf")
        while "Unavail" not in await bed.ours.cli("pjsip show contacts"):
            await asyncio.sleep(0.05)
    try:
        wrong: dict[str, str] = {}
        for trunk in ("nowhere", "deaf", "empty"):
            switch = AsteriskSwitch(replace(config(bed), trunk=trunk), media)
            await switch.start()
            findings = await switch.check()
            assert any(one.check == "ami" and one.ok for one in findings)
            wrong |= {f"{trunk} {one.check}": one.message for one in findings if not one.ok}
            with pytest.raises(SwitchRefused) as refusal:
                await switch.originate(dial("busy"))
            assert refusal.value.field == "trunk"
            await switch.close()
    finally:
        registration.unlink()
        await bed.ours.cli("module load app_senddtmf.so")
        await bed.ours.cli("module reload res_pjsip.so")

    assert "pjsip.conf" in wrong["nowhere trunk"]
    assert "does not answer OPTIONS at sip:127.0.0.1:9" in wrong["deaf trunk"]
    assert "no contact" in wrong["empty trunk"]
    assert "app_senddtmf" in wrong["deaf modules"]
    assert "login" in wrong["deaf registration"]


async def test_the_doctor_without_asterisk(media: MediaServer) -> None:
    switch = AsteriskSwitch(replace(AsteriskConfig(), port=1), media)
    findings = await switch.check()
    assert [one.check for one in findings if not one.ok] == ["ami"]
