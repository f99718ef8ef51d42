"""Secrets at rest: texts are sealed with the deployment's key, so that the database alone opens
nothing."""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken

from api.base.private_files import keep_private, make_once
from api.settings import StoreSection

PREFIX: Final = "sealed:v1:"
KEY_FILE: Final = "seal.key"

_REMEDY: Final = (
    "give the key that the store was made with: `store.seal_key`, or "
    f"{KEY_FILE} beside `store.path`"
)


class SealError(Exception):
    """The key is none, or not the one; the message says what to do."""


class Seal:
    """Seals and opens texts (Fernet: AES-128-CBC with HMAC-SHA256)."""

    def __init__(self, key: str) -> None:
        """Raises SealError for what is no Fernet key: 32 bytes in URL-safe base64."""
        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            raise SealError(
                f"the seal key must be 32 bytes in URL-safe base64; {_REMEDY}"
            ) from error
        self._mac_key = hmac.digest(key.encode(), b"offhook signatures", hashlib.sha256)

    @classmethod
    def of(cls, store: StoreSection) -> "Seal":
        """With the key of the settings, else of the file beside the store, made when absent.

        Raises SealError.
        """
        if store.seal_key is not None:
            return cls(store.seal_key.get_secret_value())
        path = store.path.parent / KEY_FILE
        try:
            return cls(_kept_key(path))
        except (OSError, UnicodeDecodeError) as error:
            raise SealError(
                f"cannot read or make {path} ({error}); set `store.seal_key`"
            ) from error

    def seal(self, text: str) -> str:
        """`text`, sealed; twice the same is not equal."""
        return PREFIX + self._fernet.encrypt(text.encode()).decode()

    def signature(self, text: str) -> str:
        """What only the deployment can say of `text`: HMAC-SHA256, hex."""
        return hmac.new(self._mac_key, text.encode(), hashlib.sha256).hexdigest()

    def open(self, text: str) -> str:
        """What was sealed; a text that is not sealed, as it is. Raises SealError."""
        if not text.startswith(PREFIX):
            return text
        try:
            return self._fernet.decrypt(text.removeprefix(PREFIX)).decode()
        except InvalidToken as error:
            raise SealError(f"it was sealed with another key; {_REMEDY}") from error


SealOf = Callable[[], Seal]
"""Gives the deployment's seal, whose key may have to be read or made first. Raises SealError."""


def new_key() -> str:
    """A key that nobody knows."""
    return Fernet.generate_key().decode()


def _kept_key(path: Path) -> str:
    """The key in `path`. Of several processes that make it at one time, one does."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_once(path, new_key() + "\n")
    keep_private(path)
    return path.read_text().strip()
