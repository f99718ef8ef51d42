"""What `offhook doctor` says of an Asterisk that is not set up as it should be."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest

from pbx.asterisk.config import AsteriskConfig
from pbx.asterisk.doctor import judge_inbound
from pbx.asterisk.loopback_call import make_loopback_call
from pbx.codecs import SLIN16
from pbx.dial_string import Way
from pbx.media import Latch, MediaLeg, MediaServer
from pbx.switch import Finding, SwitchRefused
from pbx.testbed import TestBed
from tests.pbx.cable import Cable
from tests.pbx.calls import PATIENCE_S, Ear, dial, heard, no_channels
from tests.pbx.conftest import plugged
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
        identity: dict[str, str] = {}
        for trunk in ("nowhere", "deaf", "empty"):
            switch = pbx.make(media, trunk=trunk)
            await switch.start()
            findings = await switch.check()
            assert any(one.check == "ami" and one.ok for one in findings)
            wrong |= {f"{trunk} {one.check}": one.message for one in findings if not one.ok}
            told = [one.message for one in findings if one.check == "identity"]
            identity.update({trunk: told[0]} if told else {})
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
    assert identity.keys() == {"deaf", "empty"}
    assert identity["deaf"].startswith("who calls goes out in From; a call that hides its number")
    assert "trust_id_outbound" in identity["deaf"]


async def test_the_doctor_looks_at_every_trunk(pbx: Pbx, media: MediaServer) -> None:
    switch = pbx.make(media)
    await switch.start()
    try:
        found = await switch.check(
            [
                Way("trunk", "PJSIP/{number}@{trunk}"),
                Way("nowhere", "PJSIP/{number}@{trunk}"),
                Way("office", "Local/{number}@from-nowhere/n"),
                Way("second", "PJSIP/9{number}@trunk"),
            ]
        )
    finally:
        await switch.close()
    trunks = [(one.ok, one.message) for one in found if one.check == "trunk"]
    assert [ok for ok, _ in trunks] == [True, False, False, True]
    assert "no PJSIP endpoint 'nowhere'" in trunks[1][1]
    assert "no context 'from-nowhere'" in trunks[2][1]
    identity = [one.message for one in found if one.check == "identity"]
    assert len(identity) == 2
    assert identity[1].startswith("on 'second' who calls goes out in")
    assert len([one for one in found if one.check == "inbound"]) == 2


URL = "agi://{}:4573/incoming/0123456789abcdef"


@pytest.mark.parametrize(
    ("asked", "listens", "ours", "ok", "warning", "told"),
    [
        ("127.0.0.1", "127.0.0.1", None, True, False, "ask agi://127.0.0.1:4573"),
        ("192.0.2.9", "192.0.2.9", "192.0.2.9", True, False, "ask agi://192.0.2.9:4573"),
        ("192.0.2.9", "127.0.0.1", "192.0.2.9", False, False, "set pbx.fastagi.host to 192.0.2.9"),
        ("192.0.2.9", "localhost", "192.0.2.9", False, False, "(agi://192.0.2.9:4573/incoming/S"),
        ("[2001:db8::9]", "::1", "2001:db8::9", False, False, "AGI(agi://[2001:db8::9]:4573/"),
        ("127.0.0.1", "127.0.0.1", "192.0.2.9", True, True, "a tunnel between the two"),
    ],
)
def test_the_doctor_sees_where_inbound_calls_do_not_get_to(
    asked: str, listens: str, ours: str | None, *, ok: bool, warning: bool, told: str
) -> None:
    """`ours` is our address where the PBX is on another host."""
    secret = "0123456789abcdef"
    config = AsteriskConfig(host="192.0.2.7", fastagi_host=listens, fastagi_secret=secret)
    found = judge_inbound(config, "trunk", "from-trunk", [URL.format(asked)], ours)
    assert (found.ok, found.warning) == (ok, warning)
    assert told in found.message
    assert secret not in found.message


async def test_the_doctor_tells_how_who_calls_goes_out(
    bed: TestBed, pbx: Pbx, media: MediaServer
) -> None:
    switch = pbx.make(media)
    await switch.start()
    (told,) = [one.message for one in await switch.check() if one.check == "identity"]
    assert told == "who calls goes out in From and P-Asserted-Identity"
    file = bed.ours.etc / "extensions.conf"
    shipped = file.read_text()
    file.write_text(shipped.replace("exten => headers,", "exten => others,"))
    await bed.ours.cli("dialplan reload")
    try:
        (told,) = [one.message for one in await switch.check() if one.check == "identity"]
        assert "calls with sip_headers are refused" in told
    finally:
        file.write_text(shipped)
        await bed.ours.cli("dialplan reload")
        await switch.close()


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


async def test_passwords_in_the_clear_beyond_this_host_are_warned_of(
    pbx: AsteriskPbx, media: MediaServer
) -> None:
    switch = pbx.make(media)
    await switch.start()
    warned = []
    for peer in ("127.0.0.1", "192.0.2.7"):
        switch._link.peer_host = peer  # as if it were there
        assert switch._link.leaves_the_host is (peer != "127.0.0.1")
        found = await switch.check()
        warned += [one.message for one in found if one.check == "ami" and one.warning]
        assert all(one.ok for one in found if one.check == "ami")
    await switch.close()
    (told,) = warned
    assert "pbx.ami.tls" in told


async def audio_finding(pbx: Pbx, media: MediaServer, **settings: Any) -> Finding:
    """What the doctor says of the audio; nothing is left of its calls."""
    switch = pbx.make(media, **settings)
    await switch.start()
    (audio,) = [one for one in await switch.check() if one.check == "audio"]
    assert media.open_legs == 0
    await pbx.until_calls(0)
    await switch.close()
    return audio


@pytest.mark.parametrize("latch", ["off", "any"])
async def test_a_test_call_is_heard_both_ways(bed: TestBed, pbx: Pbx, latch: Latch) -> None:
    async with listening(latch) as media:
        audio = await audio_finding(pbx, media)
    assert audio.ok, audio


async def test_audio_that_is_sent_elsewhere_is_found(
    bed: TestBed, pbx: Pbx, media: MediaServer
) -> None:
    audio = await audio_finding(pbx, media, media_host="127.0.0.9")
    assert not audio.ok
    assert audio.message.startswith("nothing of a test call came back")
    assert "127.0.0.9" in audio.message
    assert "rtp.advertise" in audio.message
    assert "we reach Asterisk from 127.0.0.1" in audio.message


async def test_audio_that_gets_through_one_way_only_is_found(
    bed: TestBed, pbx: AsteriskPbx, media: MediaServer
) -> None:
    """Asterisk sends linear 16 kHz, and does not understand it."""
    switch = pbx.make(media)
    await switch.start()
    link = switch._link

    def address(leg: MediaLeg) -> tuple[str, int]:
        return leg.port.address

    audio = await make_loopback_call(link, media, SLIN16, address)
    await pbx.until_calls(0)
    await switch.close()
    assert not audio.ok
    assert audio.message.startswith("one way only: Asterisk is heard at 127.0.0.1:")
    assert "rtp.conf" in audio.message


#: What a PBX behind a NAT says of itself is an address of its own network.
INSIDE = "127.0.0.77"


def of_the_inside(data: bytes) -> bytes:
    """What such an Asterisk tells of its ends of the audio."""
    return re.sub(
        rb"(UNICASTRTP_LOCAL_ADDRESS\r\nValue: )127\.0\.0\.1", rb"\g<1>" + INSIDE.encode(), data
    )


@asynccontextmanager
async def behind_nat(bed: TestBed) -> AsyncIterator[AsteriskPbx]:
    async with plugged(Cable(bed.host, bed.ports.ami, alter=of_the_inside)) as cable:
        yield AsteriskPbx(bed, cable)


@asynccontextmanager
async def listening(latch: Latch, *networks: str) -> AsyncIterator[MediaServer]:
    sources = [ip_network(one) for one in networks]
    server = MediaServer("127.0.0.1", 40000, 40999, latch=latch, sources=sources)
    await server.start()
    yield server
    await server.close()


async def test_a_nat_before_the_pbx_is_found(bed: TestBed, media: MediaServer) -> None:
    async with behind_nat(bed) as pbx:
        audio = await audio_finding(pbx, media)
    assert not audio.ok
    assert f"audio is at {INSIDE}:" in audio.message
    assert "sends it from 127.0.0.1" in audio.message
    assert "rtp.sources" in audio.message


async def test_a_pbx_whose_public_address_is_known_needs_no_latching(
    bed: TestBed, media: MediaServer
) -> None:
    async with behind_nat(bed) as pbx:
        audio = await audio_finding(pbx, media, audio_host="127.0.0.1")
        assert audio.ok, audio
        switch = pbx.make(media, audio_host="127.0.0.1")
        await switch.start()
        attempt = await switch.originate(dial("echo"))
        ear = Ear(attempt.rate, tone_hz=500)
        attempt.attach(ear)
        await heard(ear)
        await switch.close()
    await no_channels(bed)


async def test_calls_through_a_nat_are_heard_at_once_and_both_ways(bed: TestBed) -> None:
    async with behind_nat(bed) as pbx, listening("any", "127.0.0.1/32") as media:
        audio = await audio_finding(pbx, media)
        assert audio.ok, audio
        switch = pbx.make(media)
        await switch.start()
        before = len(bed.carrier.log())
        # Who is behind the NAT speaks first; then both are heard.
        attempts = [await switch.originate(dial(name)) for name in ("noise", "voicemail", "noise")]
        ears = [Ear(attempt.rate, tone_hz=500) for attempt in attempts]
        for attempt, ear in zip(attempts, ears, strict=True):
            attempt.attach(ear)
        for ear in ears:
            await heard(ear)
        assert round(ears[0].pitch(), -1) == round(ears[2].pitch(), -1) == 1000
        async with asyncio.timeout(PATIENCE_S):
            while "voicemail NOISE" not in bed.carrier.log()[before:]:
                await asyncio.sleep(0.1)
        assert [attempt.media_stats().lost for attempt in attempts] == [0, 0, 0]
        for attempt in attempts:
            await attempt.hang_up()
        await switch.close()
    await no_channels(bed)
