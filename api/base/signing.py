"""Signatures of webhooks: Standard Webhooks 1.0 with several secrets, and CallingBox's beside it.

CallingBox: HMAC-SHA256 over `timestamp.body`, hex, `v1=`; the key is the secret as it is written.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every such secret
SECRET_BYTES = 32


def new_secret() -> str:
    """A fresh signing secret, `whsec_…`."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def check_secret(secret: str) -> None:
    """Raises ValueError unless it is `whsec_` and the base64 of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("a signing secret is whsec_ and the base64 of 24 to 64 random bytes")


def signing_secrets(
    secret: str, previous: str | None, previous_until: float | None, now: float
) -> tuple[str, ...]:
    """What to sign with at `now`, Unix seconds: the secret, and the one before it for a time."""
    if previous is None or previous_until is None or now >= previous_until:
        return (secret,)
    return (secret, previous)


def signed_headers(
    keys: Sequence[str], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The three headers of a message.

    Args:
        keys: each `whsec_…`; a message signed with several is good for who knows one of them.
        message_id: the event's id, the same on every retry.
        timestamp: Unix seconds of this attempt.
        body: exactly the bytes that are sent, in UTF-8.
    """
    at, text = datetime.fromtimestamp(timestamp, UTC), body.decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(Webhook(key).sign(message_id, at, text) for key in keys),
    }


def callingbox_signature(keys: Sequence[str], timestamp: int, body: bytes) -> str:
    """The value of `CallingBox-Signature`: `t=<unix>,v1=<hex>`, a `v1` for each of `keys`."""
    signed = b".".join((str(timestamp).encode(), body))
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in keys]
    return ",".join([f"t={timestamp}", *(f"v1={digest}" for digest in digests)])
