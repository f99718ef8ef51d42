"""The AMI link over TLS, to a real Asterisk: whose certificate is taken, and whose is not."""

import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from api.calls.switches import asterisk_config
from api.settings import load_settings
from pbx.asterisk import AsteriskConfig, AsteriskSwitch
from pbx.media import MediaServer
from pbx.switch import SwitchUnavailable
from pbx.testbed import TestBed
from pbx.testbed.loopback import free_ports
from tests.pbx.calls import Ear, dial, heard, no_channels


@dataclass(frozen=True)
class Secured:
    """An Asterisk whose manager has a certificate for `localhost`."""

    bed: TestBed
    port: int
    ca_file: Path

    def config(self, **ami: str) -> AsteriskConfig:
        told = {"host": "localhost", "port": str(self.port), "secret": self.bed.secret, **ami}
        env = {f"OFFHOOK_PBX__AMI__{name.upper()}": value for name, value in told.items()}
        settings = load_settings(None, env)
        return asterisk_config(settings, settings.pbx)


@pytest_asyncio.fixture(loop_scope="session")
async def secured(bed: TestBed, tmp_path: Path) -> AsyncIterator[Secured]:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    files = [tmp_path / name for name in ("ca.pem", "certificate.pem", "key.pem")]
    authority.cert_pem.write_to_path(files[0])
    certificate.cert_chain_pems[0].write_to_path(files[1])
    certificate.private_key_pem.write_to_path(files[2])
    (port,) = free_ports(socket.SOCK_STREAM, 1)
    shipped = (manager := bed.ours.etc / "manager.conf").read_text()
    manager.write_text(
        shipped.replace(
            "[general]\n",
            f"[general]\ntlsenable = yes\ntlsbindaddr = {bed.host}:{port}\n"
            f"tlscertfile = {files[1]}\ntlsprivatekey = {files[2]}\n",
        )
    )
    await bed.ours.cli("manager reload")
    yield Secured(bed, port, files[0])
    manager.write_text(shipped)
    await bed.ours.cli("manager reload")


async def test_a_call_over_tls(secured: Secured, media: MediaServer) -> None:
    settings = secured.config(tls="verified", ca_file=str(secured.ca_file))
    switch = AsteriskSwitch(settings, media)
    await switch.start()
    attempt = await switch.originate(dial("echo"))
    ear = Ear(attempt.rate, tone_hz=440)
    attempt.attach(ear)
    await heard(ear)
    await attempt.hang_up()
    await switch.close()
    await no_channels(secured.bed)


async def test_only_who_can_be_trusted_is_told_the_password(
    secured: Secured, media: MediaServer
) -> None:
    for ami, told in (
        ({"tls": "verified"}, "pbx.ami.ca_file"),
        (
            {"tls": "verified", "ca_file": str(secured.ca_file), "host": "127.0.0.1"},
            "IP address mismatch",
        ),
        ({"tls": "verified", "port": str(secured.bed.ports.ami)}, "tlsbindaddr"),
    ):
        with pytest.raises(SwitchUnavailable, match=re.escape(told)):
            await AsteriskSwitch(secured.config(**ami), media).start()
    switch = AsteriskSwitch(secured.config(tls="unverified"), media)
    await switch.start()
    assert switch.connected
    await switch.close()


async def test_a_port_of_tls_is_not_spoken_to_in_the_clear(
    secured: Secured, media: MediaServer
) -> None:
    with pytest.raises(SwitchUnavailable, match=re.escape("pbx.ami.tls")):
        await AsteriskSwitch(secured.config(timeout_s="1"), media).start()
