"""Fetch a set of weights from the hub: resumed, checked, and only then put in place.

The only code in Offhook that opens a connection which the operator did not configure by name; it
runs only when `offhook models pull` is called.
"""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from models.catalogue import HUB_URL, CatalogueSet, RemoteFile

CHUNK_BYTES: Final = 1024 * 1024
#: Kept free beside what is downloaded.
SPARE_BYTES: Final = 64 * CHUNK_BYTES
#: A silent connection is given up after this many seconds.
TIMEOUT_S: Final = 30.0
#: Attempts without a single new byte before a file is given up.
ATTEMPTS: Final = 5


class PullError(Exception):
    """A file could not be fetched; the message names it and the way out."""


@dataclass(frozen=True)
class PullProgress:
    """How far a pull has come, in bytes."""

    file: str
    """The file's path in the set."""
    file_done: int
    file_size: int
    set_done: int
    set_size: int


Progress = Callable[[PullProgress], None]


def pull(
    model_set: CatalogueSet,
    models_dir: Path,
    *,
    hub_url: str = HUB_URL,
    progress: Progress | None = None,
    backoff_s: float = 1.0,
) -> Path:
    """Fetch what is missing of a set. Blocks.

    Files that are there already are checked and kept; half a file is continued.

    Args:
        model_set: what to fetch.
        models_dir: where sets live; this one gets a directory of its own in it.
        hub_url: the hub or a mirror with the same paths.
        progress: told after every piece.
        backoff_s: seconds before the first new attempt; doubled for each further one.

    Returns:
        The set's directory.

    Raises PullError.
    """
    directory = models_dir / model_set.name
    tell = progress or (lambda _progress: None)
    done = 0
    with httpx.Client(follow_redirects=True, timeout=TIMEOUT_S) as client:
        for file in model_set.files:
            before = done

            def report(file_done: int, file: RemoteFile = file, before: int = before) -> None:
                tell(
                    PullProgress(
                        file.target, file_done, file.size, before + file_done, model_set.size
                    )
                )

            download = _Download(client, file, directory / file.target, hub_url, report, backoff_s)
            download.run()
            done += file.size
    return directory


@dataclass
class _Download:
    """One file on its way to disk."""

    client: httpx.Client
    file: RemoteFile
    target: Path
    hub_url: str
    report: Callable[[int], None]
    backoff_s: float

    @property
    def url(self) -> str:
        file = self.file
        return f"{self.hub_url.rstrip('/')}/{file.repository}/resolve/{file.revision}/{file.source}"

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    def run(self) -> None:
        try:
            if self._matches(self.target):
                self.report(self.file.size)
                return
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._check_room()
            self._fetch()
            if not self._matches(self.part):
                self.part.unlink()
                raise PullError(
                    f"{self.url} does not have the SHA-256 {self.file.sha256} that Offhook "
                    "expects: what came was deleted. Pull again; if it happens again, the hub "
                    "or something on the way has changed the file, so do not use it"
                )
            self.part.replace(self.target)
        except OSError as error:
            fix = (
                "free some space and pull again, it will continue"
                if error.errno == errno.ENOSPC
                else "check the directory's owner and permissions"
            )
            raise PullError(f"cannot write {self.target}: {error.strerror}: {fix}") from error

    def _check_room(self) -> None:
        have = self.part.stat().st_size if self.part.is_file() else 0
        need = self.file.size - have + SPARE_BYTES
        free = shutil.disk_usage(self.target.parent).free
        if need > free:
            raise PullError(
                f"no room for {self.target}: it needs {_megabytes(need)}, and "
                f"{_megabytes(free)} are free: free some space or set `models.dir` elsewhere"
            )

    def _matches(self, path: Path) -> bool:
        """Whether a file has the pinned size and hash."""
        if not path.is_file() or path.stat().st_size != self.file.size:
            return False
        digest = hashlib.sha256()
        with path.open("rb") as data:
            while chunk := data.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest() == self.file.sha256

    def _fetch(self) -> None:
        """Bring the part file to its full size, in as many attempts as it takes."""
        attempts = 0
        while True:
            have = self.part.stat().st_size if self.part.is_file() else 0
            if have == self.file.size:
                return
            if have > self.file.size:
                self.part.unlink()
                have = 0
            try:
                self._continue(have)
                trouble = "the connection ended early"
            except httpx.TransportError as error:
                trouble = str(error) or type(error).__name__
            except _TryAgainError as error:
                trouble = str(error)
            now = self.part.stat().st_size if self.part.is_file() else 0
            if now == self.file.size:
                return
            attempts = 0 if now > have else attempts + 1
            if attempts >= ATTEMPTS:
                raise PullError(
                    f"cannot fetch {self.url}: {trouble}. Check the network and the proxy "
                    "settings, or name a mirror with `--hub-url`; what has come is kept, and the "
                    "next pull continues there"
                )
            time.sleep(self.backoff_s * 2 ** max(0, attempts - 1))

    def _continue(self, have: int) -> None:
        # Compressed on the way, a small text file would not have its pinned size.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with self.client.stream("GET", self.url, headers=headers) as response:
            self._judge(response)
            continued = response.status_code == httpx.codes.PARTIAL_CONTENT
            if continued and not response.headers.get("Content-Range", "").startswith(
                f"bytes {have}-"
            ):
                self.part.unlink()
                raise _TryAgainError("the hub sent another range than asked for")
            with self.part.open("ab" if continued else "wb") as part:
                size = part.tell()
                # As it comes: gathering pieces would lose them when the connection breaks.
                for chunk in response.iter_raw():
                    size += len(chunk)
                    if size > self.file.size:
                        self.part.unlink()
                        raise PullError(
                            f"{self.url} is longer than the {self.file.size} bytes that Offhook "
                            "expects: it is not the pinned file"
                        )
                    part.write(chunk)
                    self.report(size)
                part.flush()
                os.fsync(part.fileno())

    def _judge(self, response: httpx.Response) -> None:
        """Tell answers that may get better from those that will not."""
        code = response.status_code
        if code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.part.unlink(missing_ok=True)
            raise _TryAgainError("the hub could not continue the file")
        if code == httpx.codes.TOO_MANY_REQUESTS or code >= 500:
            raise _TryAgainError(f"the hub answered {code} {response.reason_phrase}")
        if code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise PullError(
                f"the hub answered {code} {response.reason_phrase} for {self.url}: the file was "
                "moved or the hub's address is wrong (`--hub-url`); a newer Offhook may know its "
                "new place"
            )


class _TryAgainError(Exception):
    """The hub said no for now."""


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
