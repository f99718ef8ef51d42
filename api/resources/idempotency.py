"""Answers that are kept under an Idempotency-Key (RFC draft)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StoredAnswer:
    """The answer that a request with this `Idempotency-Key` was given."""

    fingerprint: str
    status_code: int
    body: str


@dataclass(frozen=True)
class Idempotency:
    """A request's `Idempotency-Key`, to be stored in the same transaction as what it did."""

    api_key_id: str
    key: str
    fingerprint: str
    """SHA-256 of method, path and body."""
