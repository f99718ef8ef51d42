"""FreePBX's contexts and habits, rebuilt on the test bed's own PBX, with what its page has added.

The dialplan is ours, and has FreePBX's shape: `from-internal` includes extensions, queues, groups
and outbound routes, a route tries trunks by a subroutine, and an inbound route sets `FROM_DID` and
goes to its destination. What the page says is to be written by hand is taken from the page.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from pbx.testbed import TestBed
from pbx.testbed.instance import Asterisk

PAGE: Final = Path(__file__).resolve().parents[2] / "docs/freepbx.md"
#: The number of the inbound route, and the one that the page's settings have.
DID: Final = "12125550100"
_BLOCK: Final = re.compile(r"^```ini\n(.*?)^```", re.MULTILINE | re.DOTALL)

#: What FreePBX's dialplan needs beside what the test bed has.
_MODULES: Final = (
    "app_queue.so",
    "app_exec.so",
    "app_while.so",
    "func_logic.so",
    "func_strings.so",
)
#: A trunk's name with a space, which its outbound route alone knows; two telephones.
_PJSIP: Final = """
[Main Carrier](trunk)
context = from-pstn
[trunk-identify](+)
endpoint = Main Carrier
[200](trunk)
context = from-internal
aors = 200
[200]
type = aor
contact = sip:+1555010022@{carrier}
[201](trunk)
context = from-internal
aors = 201
[201]
type = aor
contact = sip:+1555010010@{carrier}
"""
_QUEUES: Final = """
[600]
strategy = ringall
timeout = 10
member => Local/200@from-queue/n
"""
_ADDITIONAL: Final = """
[from-internal]
include => from-internal-custom
include => ext-local
include => ext-queues
include => ext-group
include => outbound-allroutes

[from-internal-custom]

[ext-local]
exten => _20X,1,Gosub(sub-exten,s,1(${EXTEN}))

[sub-exten]
exten => s,1,Dial(PJSIP/${ARG1},20,Ttr)
 same => n,Goto(s-${DIALSTATUS},1)
exten => s-BUSY,1,Busy(20)
exten => _s-.,1,Congestion(20)

[from-queue]
exten => _20X,1,Goto(ext-local,${EXTEN},1)

[ext-queues]
exten => 600,1,Answer()
 same => n,Queue(600,tTn,,,20)
 same => n,Hangup()

[ext-group]
exten => 601,1,Dial(Local/200@ext-local/n&Local/201@ext-local/n,20)
 same => n,Hangup()

[outbound-allroutes]
exten => _1NXXNXXXXXX,1,Gosub(sub-trunk,s,1(+${EXTEN}))
exten => _1555XXXXXX,1,Gosub(sub-trunk,s,1(+${EXTEN}))
exten => _011.,1,Gosub(sub-trunk,s,1(+${EXTEN:3}))

[sub-trunk]
exten => s,1,Dial(PJSIP/${ARG1}@Main Carrier,300,Tb(func-apply-sipheaders^s^1))
 same => n,Goto(s-${DIALSTATUS},1)
exten => s-BUSY,1,Busy(20)
exten => s-NOANSWER,1,Congestion(20)
exten => _s-.,1,Congestion(20)

[func-apply-sipheaders]
exten => s,1,Set(SIPHEADERKEYS=${HASHKEYS(SIPHEADERS)})
 same => n,While($["${SET(sipkey=${SHIFT(SIPHEADERKEYS)})}" != ""])
 same => n,Set(sipheader=${HASH(SIPHEADERS,${sipkey})})
 same => n,ExecIf($["${sipheader}" != "unset"]?Set(PJSIP_HEADER(add,${sipkey})=${sipheader}))
 same => n,EndWhile()
 same => n,Return()

[from-pstn]
exten => _+X.,1,Goto(ext-did,${EXTEN:1},1)

[ext-did]
exten => {DID},1,Set(__FROM_DID=${EXTEN})
 same => n,Goto(offhook-in,s,1)
"""


def blocks() -> list[str]:
    """What the page says is to be written into files."""
    return _BLOCK.findall(PAGE.read_text())


def trunk_request() -> dict[str, Any]:
    """The body of the page's request."""
    (body,) = re.findall(r"-d '(\{.*?\n  \})'", PAGE.read_text(), re.DOTALL)
    found: dict[str, Any] = json.loads(body)
    return found


def headers_dial_string() -> str:
    """The one in its place that hands headers on."""
    (found,) = re.findall(r"`(Local/\S+@offhook-headers/n)`", PAGE.read_text())
    return str(found)


def dial_string() -> str:
    """Of the page's settings."""
    found: list[str] = re.findall(r'^dial_string = "(.*)"$', PAGE.read_text(), re.MULTILINE)
    return found[0]


def _from_page(head: str) -> str:
    """The block of the page that begins so."""
    (found,) = [one for one in blocks() if one.startswith(head)]
    return found


@asynccontextmanager
async def rebuilt(bed: TestBed) -> AsyncIterator[None]:
    """Our Asterisk is a FreePBX, on which the page was followed."""
    inbound = _from_page("[offhook-in]").replace("127.0.0.1:4573", f"{bed.host}:{bed.ports.agi}")
    inbound = inbound.replace("SECRET-OF-16-TO-128-CHARS", bed.agi_secret)
    headers = _from_page("[offhook-headers]")
    carrier = f"{bed.host}:{bed.ports.carrier_sip}"
    files = {
        "extensions.conf": _ADDITIONAL.replace("{DID}", DID) + inbound + headers,
        "pjsip.conf": _PJSIP.format(carrier=carrier),
        "queues.conf": _QUEUES,
    }
    async with _added(bed.ours, files):
        for module in _MODULES:
            loaded = await bed.ours.cli(f"module load {module}")
            assert "Loaded" in loaded, loaded
        try:
            yield
        finally:
            for module in _MODULES:
                await bed.ours.cli(f"module unload {module}")


@asynccontextmanager
async def looped(bed: TestBed) -> AsyncIterator[None]:
    """It has also the page's endpoint whose contact is the Asterisk itself.

    Carrier and loop have one address here, so that nothing comes in from the carrier meanwhile.
    """
    pjsip = bed.ours.etc / "pjsip.conf"
    before = pjsip.read_text()
    pjsip.write_text(before.replace(f"match = {bed.host}", "match = 192.0.2.1"))
    loop = _from_page("[offhook-loop]").replace("127.0.0.1:5060", f"{bed.host}:{bed.ports.sip}")
    try:
        async with _added(
            bed.ours, {"extensions.conf": _from_page("[offhook-out]"), "pjsip.conf": loop}
        ):
            yield
    finally:
        pjsip.write_text(before)
        await _reload(bed.ours)


@asynccontextmanager
async def _added(asterisk: Asterisk, texts: Mapping[str, str]) -> AsyncIterator[None]:
    """With those texts at the end of its files."""
    files = {asterisk.etc / name: text for name, text in texts.items()}
    before = {path: path.read_text() if path.exists() else "" for path in files}
    for path, text in files.items():
        path.write_text(f"{before[path]}\n{text}")
    await _reload(asterisk)
    try:
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)
        await _reload(asterisk)


async def _reload(asterisk: Asterisk) -> None:
    await asterisk.cli("module reload res_pjsip.so")
    await asterisk.cli("dialplan reload")
