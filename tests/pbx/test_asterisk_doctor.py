"""What `offhook doctor` says of an Asterisk that is not set up as it should be."""

import asyncio

import pytest

from pbx.media import MediaServer
from pbx.switch import SwitchRefused
from pbx.testbed import TestBed
from tests.pbx.calls import PATIENCE_S, dial
from tests.pbx.kinds import AsteriskPbx, Pbx


async def test_the_doctor_names_what_is_wrong(bed: TestBed, pbx: Pbx, media: MediaServer) -> None:
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
            switch = pbx.make(media, trunk=trunk)
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


@pytest.mark.parametrize(
    ("port", "line", "ok", "told"),
    [
        (None, None, True, "calls of 'trunk' ask agi://127.0.0.1:"),
        (9, None, False, "mend pbx.fastagi.port or [from-trunk] in extensions.conf"),
        (9, "NoOp()", True, "take the AGI line of Offhook's extensions.conf into [from-trunk]"),
        (4573, "AGI(agi://127.0.0.1/incoming/{secret})", True, "ask agi://127.0.0.1"),
        (4573, "AGI(agi://127.0.0.1/incoming)", False, "mend pbx.fastagi.secret or [from-trunk]"),
    ],
)
async def test_the_doctor_tells_whom_inbound_calls_ask(
    pbx: AsteriskPbx, media: MediaServer, port: int | None, line: str | None, *, ok: bool, told: str
) -> None:
    file = pbx.bed.ours.etc / "extensions.conf"
    shipped = file.read_text()
    if line is not None:
        line = line.format(secret=pbx.bed.agi_secret)
        file.write_text(f"[from-trunk]\nexten => _[+0-9]!,1,{line}\n")
        await pbx.bed.ours.cli("dialplan reload")
    switch = pbx.make(media, fastagi_port=pbx.bed.ports.agi if port is None else port)
    await switch.start()
    try:
        (finding,) = [one for one in await switch.check() if one.check == "inbound"]
    finally:
        await switch.close()
        file.write_text(shipped)
        await pbx.bed.ours.cli("dialplan reload")
    assert (finding.ok, told in finding.message) == (ok, True), finding.message
    assert pbx.bed.agi_secret not in finding.message


async def test_the_doctor_wants_a_secret_for_inbound_calls(
    pbx: AsteriskPbx, media: MediaServer
) -> None:
    switch = pbx.make(media, fastagi_port=pbx.bed.ports.agi, fastagi_secret="")
    await switch.start()
    (finding,) = [one for one in await switch.check() if one.check == "inbound"]
    await switch.close()
    assert "set pbx.fastagi.secret" in finding.message


async def test_a_test_call_is_heard_both_ways(bed: TestBed, pbx: Pbx, media: MediaServer) -> None:
    switch = pbx.make(media)
    await switch.start()
    (audio,) = [one for one in await switch.check() if one.check == "audio"]
    assert audio.ok, audio
    assert media.open_legs == 0
    await pbx.until_calls(0)
    await switch.close()


async def test_audio_that_is_sent_elsewhere_is_found(
    bed: TestBed, pbx: Pbx, media: MediaServer
) -> None:
    switch = pbx.make(media, media_host="127.0.0.9")
    await switch.start()
    (audio,) = [one for one in await switch.check() if one.check == "audio"]
    assert not audio.ok
    assert "127.0.0.9" in audio.message
    assert "rtp.advertise" in audio.message
    await pbx.until_calls(0)
    await switch.close()
