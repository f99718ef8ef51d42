"""Standard Webhooks 1.0 signatures: HMAC-SHA256 over `id.timestamp.body`, base64, `v1,`."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every such secret
SECRET_BYTES = 32


def new_secret() -> str:
    """A fresh signing secret, `whsec_…`."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def decode_secret(secret: str) -> bytes:
    """The key within `whsec_…`; ValueError unless it is base64 of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("a signing secret is whsec_ and the base64 of 24 to 64 random bytes")
    return key


def signed_headers(
    keys: Sequence[str], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The three headers of a message (Standard Webhooks 1.0, "Signature scheme").

    Args:
        keys: each `whsec_…`; a message signed with several is good for who knows one of them.
        message_id: the event's id, the same on every retry.
        timestamp: Unix seconds of this attempt.
        body: exactly the bytes that are sent.
    """
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    digests = [hmac.digest(decode_secret(secret), signed, hashlib.sha256) for secret in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            f"v1,{base64.b64encode(digest).decode()}" for digest in digests
        ),
    }
