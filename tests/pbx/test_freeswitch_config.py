"""The configuration that `docker/freeswitch/` ships: whole, as documented, for any value."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
import pytest_asyncio

from pbx.testbed import TestBed, TestBedError
from pbx.testbed.freeswitch import FreeSwitch, installed
from pbx.testbed.loopback import SHIPPED, render

_SHIPPED = SHIPPED / "freeswitch"
_PREFIX = "OFFHOOK_FREESWITCH"
_USED = {
    name
    for file in (_SHIPPED / "etc").iterdir()
    for name in re.findall(r"@([A-Z_]+)@", file.read_text())
}
_VALUES: Mapping[str, str] = {name: f"value-of-{name}" for name in _USED}
#: What XML, awk's replacements, FreeSWITCH's preprocessor or a shell could take for their own.
_HOSTILE = 'a"&<b>\'&amp; \\1 $${domain} $HOME `id` <!--#set x=y--> <X-PRE-PROCESS cmd="exec"/>'

live = pytest.mark.skipif(installed() is None, reason="no FreeSWITCH is installed here")


def _parameters(folder: Path) -> Mapping[str, list[str]]:
    """Values of every `<param>` of the written files, by name."""
    found: dict[str, list[str]] = {}
    for file in folder.glob("*.xml"):
        for one in ElementTree.parse(file).iter("param"):
            found.setdefault(one.attrib["name"], []).append(one.attrib["value"])
    return found


def test_every_file_is_well_formed_and_every_variable_is_written(tmp_path: Path) -> None:
    render(_PREFIX, _SHIPPED / "etc", tmp_path, **_VALUES)
    assert {file.name for file in tmp_path.iterdir()} == {
        file.name for file in (_SHIPPED / "etc").iterdir()
    }
    text = unescape("".join(file.read_text() for file in tmp_path.iterdir()))
    assert not re.search(r"@[A-Z_]+@", text)
    assert all(value in text for value in _VALUES.values())
    parameters = _parameters(tmp_path)
    assert parameters["proxy"] == ["value-of-TRUNK_HOST:value-of-TRUNK_PORT"]
    assert parameters["password"] == ["value-of-ESL_PASSWORD"]


def test_no_log_is_told_of_numbers() -> None:
    """From `notice` on FreeSWITCH names the channels, and so who is called."""
    for name in ("logfile", "console"):
        tree = ElementTree.parse(_SHIPPED / f"etc/{name}.conf.xml")
        levels = {level for one in tree.iter("map") for level in one.attrib["value"].split(",")}
        assert levels == {"warning", "err", "crit", "alert"}


@pytest.mark.parametrize("name", sorted(_USED))
def test_a_variable_that_is_not_set_is_named(name: str, tmp_path: Path) -> None:
    values = {key: value for key, value in _VALUES.items() if key != name}
    with pytest.raises(TestBedError, match=f"{_PREFIX}_{name} is not set"):
        render(_PREFIX, _SHIPPED / "etc", tmp_path, **values)


def test_an_empty_password_is_refused(tmp_path: Path) -> None:
    """FreeSWITCH would take its well-known default instead."""
    with pytest.raises(TestBedError, match="ESL_PASSWORD is not set"):
        render(_PREFIX, _SHIPPED / "etc", tmp_path, **{**_VALUES, "ESL_PASSWORD": ""})


@pytest.mark.parametrize("password", ['a"&<b', _HOSTILE])
def test_a_hostile_password_is_that_password(password: str, tmp_path: Path) -> None:
    render(_PREFIX, _SHIPPED / "etc", tmp_path, **{**_VALUES, "ESL_PASSWORD": password})
    assert _parameters(tmp_path)["password"] == [password]
    written = (tmp_path / "event_socket.conf.xml").read_text()
    assert "$$" not in written
    assert "PRE-PROCESS" not in written


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x1bb"])
def test_a_value_with_a_control_character_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(TestBedError, match="ESL_PASSWORD holds a line break"):
        render(_PREFIX, _SHIPPED / "etc", tmp_path, **{**_VALUES, "ESL_PASSWORD": value})


def test_the_table_of_variables_is_complete() -> None:
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \|", (_SHIPPED / "README.md").read_text(), re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert documented == _USED


def test_the_image_sets_what_the_operator_need_not() -> None:
    dockerfile = (_SHIPPED / "Dockerfile").read_text()
    start = (_SHIPPED / "start").read_text()
    defaults = set(re.findall(rf"{_PREFIX}_([A-Z_]+)=", dockerfile))
    in_start = set(re.findall(rf"^: .*?{_PREFIX}_([A-Z_]+):[?=]", start, re.MULTILINE))
    assert in_start == {"ESL_PASSWORD", "TRUNK_HOST", "TRUNK_ALLOW"}
    assert defaults | in_start == _USED


@pytest_asyncio.fixture(loop_scope="session")
async def freeswitch(bed: TestBed) -> AsyncIterator[FreeSwitch]:
    one = FreeSwitch(bed.ports.carrier_sip)
    one.password = _HOSTILE.replace(" ", "_")
    async with one:
        yield one


@live
@pytest.mark.asyncio(loop_scope="session")
async def test_a_real_freeswitch_runs_on_it(bed: TestBed, freeswitch: FreeSwitch) -> None:
    assert "is ready" in await freeswitch.api("status")
    gateway = await freeswitch.api("sofia status gateway trunk")
    assert f"sip:127.0.0.1:{bed.ports.carrier_sip}" in gateway
    assert not re.search(r"\[(ERR|CRIT|ALERT)\]", freeswitch.log())

    bed.carrier.call_in(
        f"PJSIP/customer/sip:+15550777@127.0.0.1:{freeswitch.sip}",
        caller_id="<+15550123>",
        application="Wait",
        data="30",
    )
    async with asyncio.timeout(10):
        while not (channels := await freeswitch.channels()):
            await asyncio.sleep(0.05)
    (caller,) = channels
    assert await freeswitch.api(f"uuid_getvar {caller} offhook") == "true"
    assert await freeswitch.api(f"uuid_getvar {caller} sip_to_user") == "+15550777"
    state = await freeswitch.api(f"uuid_dump {caller}")
    assert "Answer-State: ringing" in state
    assert (await freeswitch.api(f"uuid_kill {caller} USER_BUSY")).startswith("+OK")
    async with asyncio.timeout(10):
        while await freeswitch.channels():
            await asyncio.sleep(0.05)
    logs = [one for one in (freeswitch.home / "log").iterdir() if one.is_file()]
    assert logs
    for log in logs:
        assert not re.findall("15550777|15550123", log.read_text(errors="replace")), log


@live
@pytest.mark.asyncio(loop_scope="session")
async def test_it_can_be_killed_and_started_again(freeswitch: FreeSwitch) -> None:
    first = freeswitch.pid
    await freeswitch.kill()
    with pytest.raises(TestBedError, match="did not answer"):
        await freeswitch.api("status")
    await freeswitch.start()
    assert freeswitch.pid != first
    assert "is ready" in await freeswitch.api("status")


async def test_without_one_it_says_how_to_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_FREESWITCH", "/nowhere/freeswitch")
    with pytest.raises(TestBedError, match="name its program in OFFHOOK_FREESWITCH"):
        async with FreeSwitch(5070):
            pass


async def test_one_that_ends_at_once_tells_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "freeswitch"
    program.write_text("#!/bin/sh\necho cannot bind the port\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(TestBedError, match="ended while starting: cannot bind the port"):
        async with FreeSwitch(5070, program):
            pass
