"""Text messages through Asterisk: SIP MESSAGE (RFC 3428) over AMI's `MessageSend`."""

import base64
from typing import Final

from pbx.asterisk.link import AmiLink
from pbx.switch import SwitchRefused
from pbx.values import check_text_message

#: UTF-8 bytes. A line of AMI holds 1024 characters, in which the text stands as base64; a SIP
#: MESSAGE should not exceed 1300 bytes in all (RFC 3428 section 8).
MAX_BYTES: Final = 700


async def send_message(
    link: AmiLink, number: str, caller_number: str, text: str, trunk: str
) -> None:
    """As `pbx.switch.Switch.send_message`; Asterisk does not tell what the trunk answers."""
    check_text_message(number, caller_number, text, trunk, MAX_BYTES)
    try:
        await link.act(
            "MessageSend",
            {
                "Destination": f"pjsip:PJSIP/{number}@{trunk}",
                # The host is the endpoint's own, as in a call.
                "From": caller_number,
                "Base64Body": base64.b64encode(text.encode()).decode(),
            },
        )
    except SwitchRefused as error:
        raise SwitchRefused(
            f"{error} (is res_pjsip_messaging loaded, and may the manager user write `message`?)"
        ) from error
