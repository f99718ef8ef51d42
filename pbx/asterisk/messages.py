"""Text messages through Asterisk: SIP MESSAGE (RFC 3428) over AMI's `MessageSend`."""

import base64

from pbx.asterisk.link import AmiLink
from pbx.switch import SwitchRefused
from pbx.values import check_text_message


async def send_message(
    link: AmiLink, number: str, caller_number: str, text: str, trunk: str
) -> None:
    """As `pbx.switch.Switch.send_message`; Asterisk does not tell what the trunk answers."""
    check_text_message(number, caller_number, text, trunk)
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
