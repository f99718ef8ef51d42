"""What the addresses of a call show of a NAT between Asterisk and the far end. No I/O."""

import re
from typing import Final

from pbx.addresses import is_private

_HOST: Final = re.compile(r"^<?sips?:(?:[^@>]*@)?(\[[^\]]+\]|[^:;>?]+)")


def host_of(uri: str) -> str:
    """The host of a SIP URI, as `host:port` without a known port; empty where that is none."""
    found = _HOST.match(uri)
    return "" if found is None else f"{found[1]}:0"


def behind_nat(media: str, signalling: str, local: str) -> str | None:
    """The address that is of the wrong network, and how to mend that; None where none is.

    Args:
        media: where the far end wants its audio, `address:port`, as the others.
        signalling: where its SIP comes from or goes to.
        local: Asterisk's own end of the audio.
    """
    from_outside = is_private(signalling) is False or is_private(local) is False
    if is_private(media) and from_outside:
        seen = (
            f"its SIP is at {signalling}" if is_private(signalling) is False else "we are outside"
        )
        return (
            f"its SDP names {media}, an address behind its NAT, while {seen}: set "
            "rtp_symmetric = yes and force_rport = yes in pjsip.conf"
        )
    if is_private(local) and is_private(media) is False:
        return (
            f"Asterisk's own audio is at {local}, behind a NAT, and the far end at {media}: set "
            "external_media_address and local_net in pjsip.conf, and forward its RTP ports"
        )
    return None
