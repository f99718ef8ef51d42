"""The dialplan that an operator has between the trunk and Offhook, on the test bed's own PBX."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from pbx.testbed import TestBed
from pbx.testbed.instance import Asterisk

#: Numbers of the trunk, and what is done with their calls before Offhook is asked.
ANSWERED: Final = "+15550881"
LOCAL: Final = "+15550882"
LOCAL_N: Final = "+15550883"
ANSWERED_LOCAL: Final = "+15550884"
QUEUED: Final = "+15550885"
#: The AGI line has arguments.
ARGUED: Final = "+15550887"
ARGUED_LOCAL: Final = "+15550888"
#: A desk: another call by the trunk to the echo.
DESK: Final = "+15550886"

#: At the carrier: who answers, waits and transfers the call to the desk.
MOVER: Final = "+1555010090"

_DIALPLAN: Final = """
[operator]
exten => ask,1,{agi}
exten => agent,1,Goto(ask,1)
exten => argued,1,{agi_argued}

[from-trunk]
exten => {ANSWERED},1,Answer()
 same => n,Wait(0.3)
 same => n,{agi}
exten => {LOCAL},1,Dial(Local/agent@operator,20)
exten => {LOCAL_N},1,Dial(Local/agent@operator/n,20)
exten => {ANSWERED_LOCAL},1,Answer()
 same => n,Dial(Local/agent@operator,20)
 same => n,Wait(1)
exten => {QUEUED},1,Answer()
 same => n,Dial(Local/ring@operator-group,20)
exten => {ARGUED},1,{agi_argued}
exten => {ARGUED_LOCAL},1,Dial(Local/argued@operator/n,20)
exten => {DESK},1,Wait(0.3)
 same => n,Dial(PJSIP/+1555010021@trunk,20)

[operator-group]
exten => ring,1,Dial(Local/agent@operator&Local/nobody@operator-group,20)
exten => nobody,1,Ringing()
 same => n,Wait(20)
"""
#: The carrier's side: one call to the desk, and the other one that is then transferred to it.
_CARRIER: Final = """
[personas]
exten => {MOVER},1,Answer()
 same => n,Wait(1)
 same => n,Goto(movers,blind,1)

[movers]
exten => blind,1,Wait(1)
 same => n,Transfer(PJSIP/sip:{DESK}@{ours})
 same => n,Wait(20)
exten => consult,1,Set(GLOBAL(CALL)=${{CHANNEL(pjsip,call-id)}})
 same => n,Set(GLOBAL(THEIRS)=${{CHANNEL(pjsip,remote_tag)}})
 same => n,Set(GLOBAL(MINE)=${{CHANNEL(pjsip,local_tag)}})
 same => n,Wait(20)
exten => attended,1,Wait(1)
 same => n,Transfer(PJSIP/<sip:{DESK}@{ours}?Replaces={REPLACES}>)
 same => n,Wait(20)
"""


@asynccontextmanager
async def operated(bed: TestBed) -> AsyncIterator[None]:
    """Both Asterisks with those dialplans beside their own."""
    names = {name: value for name, value in globals().items() if name.isupper()}
    url = f"agi://{bed.host}:{bed.ports.agi}/incoming/{bed.agi_secret}"
    names["agi"], names["agi_argued"] = f"AGI({url})", f"AGI({url},sales,b c)"
    names["REPLACES"] = "${CALL}%3Bto-tag%3D${THEIRS}%3Bfrom-tag%3D${MINE}"
    names["ours"] = f"{bed.host}:{bed.ports.sip}"
    async with (
        extended(bed.ours, _DIALPLAN.format(**names)),
        extended(bed.carrier, _CARRIER.format(**names)),
    ):
        yield


@asynccontextmanager
async def extended(asterisk: Asterisk, dialplan: str) -> AsyncIterator[None]:
    """That Asterisk with more dialplan beside its own."""
    extensions = asterisk.etc / "extensions.conf"
    own = extensions.read_text()
    extensions.write_text(own + dialplan)
    await asterisk.cli("dialplan reload")
    try:
        yield
    finally:
        extensions.write_text(own)
        await asterisk.cli("dialplan reload")
