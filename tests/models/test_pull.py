"""Pulling a model set from a hub: a real one, small, on loopback, that misbehaves on request."""

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.catalogue import CATALOGUE, CatalogueSet, Part, RemoteFile
from models.pull import ATTEMPTS, PullError, PullProgress, pull

WEIGHTS = os.urandom(3_000_000)
SETTINGS = b'{"a": 1}'


def remote(content: bytes, source: str, target: str) -> RemoteFile:
    digest = hashlib.sha256(content).hexdigest()
    return RemoteFile("maker/model", "0a1b2c", source, target, len(content), digest)


TINY = CatalogueSet(
    "tiny",
    "for tests",
    ("en",),
    (
        Part(
            "language model",
            "Tiny",
            "MIT",
            (
                remote(WEIGHTS, "weights.bin", "whisper/model.bin"),
                remote(SETTINGS, "deep/settings.json", "whisper/config.json"),
            ),
        ),
    ),
)


class Hub:
    """Serves the tiny set; its attributes say how it misbehaves."""

    def __init__(self) -> None:
        self.files = {
            "/maker/model/resolve/0a1b2c/weights.bin": WEIGHTS,
            "/maker/model/resolve/0a1b2c/deep/settings.json": SETTINGS,
        }
        self.seen: list[tuple[str, str | None]] = []
        """Path and Range header of every request."""
        self.statuses: list[int] = []
        """Answered before anything else, one a request."""
        self.truncate: list[int] = []
        """Bytes after which an answer breaks off, one a request."""
        self.ranges = True
        self.shift = 0
        """Added to the position that a continued answer begins at."""
        self.redirect = False
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.seen.append((request.path, wanted))
        if self.statuses:
            self._empty(request, self.statuses.pop(0))
            return
        if self.redirect and not request.path.startswith("/cdn"):
            request.send_response(302)
            request.send_header("Location", f"/cdn{request.path}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        content = self.files.get(request.path.removeprefix("/cdn"))
        if content is None:
            self._empty(request, 404)
            return
        begin = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if wanted and self.ranges:
            begin += self.shift
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            body = content[begin:]
        else:
            request.send_response(200)
            body = content
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if self.truncate:
            request.wfile.write(body[: self.truncate.pop(0)])
            request.close_connection = True
        else:
            request.wfile.write(body)

    @staticmethod
    def _empty(request: BaseHTTPRequestHandler, status: int) -> None:
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def hub() -> Iterator[Hub]:
    served = Hub()
    yield served
    served.close()


def fetch(hub: Hub, directory: Path) -> Path:
    return pull(TINY, directory, hub_url=hub.url, backoff_s=0)


def assert_complete(directory: Path) -> None:
    names = sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file())
    assert names == ["whisper/config.json", "whisper/model.bin"]
    assert (directory / "whisper/model.bin").read_bytes() == WEIGHTS
    assert (directory / "whisper/config.json").read_bytes() == SETTINGS


def test_a_set_lands_in_its_own_directory(hub: Hub, tmp_path: Path) -> None:
    directory = fetch(hub, tmp_path)
    assert directory == tmp_path / "tiny"
    assert_complete(directory)


def test_progress_grows_to_the_end(hub: Hub, tmp_path: Path) -> None:
    told: list[PullProgress] = []
    pull(TINY, tmp_path, hub_url=hub.url, progress=told.append, backoff_s=0)
    done = [progress.set_done for progress in told]
    assert done == sorted(done)
    assert len(done) > 2
    assert done[-1] == TINY.size == told[-1].set_size
    assert {progress.file for progress in told} == {"whisper/model.bin", "whisper/config.json"}


def test_what_is_there_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    fetch(hub, tmp_path)
    hub.seen.clear()
    told: list[PullProgress] = []
    pull(TINY, tmp_path, hub_url=hub.url, progress=told.append, backoff_s=0)
    assert hub.seen == []
    assert told[-1].set_done == TINY.size


def test_a_file_that_has_changed_on_disk_is_fetched_again(hub: Hub, tmp_path: Path) -> None:
    directory = fetch(hub, tmp_path)
    damaged = bytearray(WEIGHTS)
    damaged[1000] ^= 1
    (directory / "whisper/model.bin").write_bytes(damaged)
    assert_complete(fetch(hub, tmp_path))


def test_half_a_file_is_continued(hub: Hub, tmp_path: Path) -> None:
    part = tmp_path / "tiny/whisper/model.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS[:1_234_567])
    assert_complete(fetch(hub, tmp_path))
    assert hub.seen[0][1] == "bytes=1234567-"


def test_a_broken_connection_is_continued_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    hub.truncate = [1_000_000, 500_000]
    assert_complete(fetch(hub, tmp_path))
    assert [wanted for _, wanted in hub.seen[:3]] == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_hub_without_ranges_starts_over(hub: Hub, tmp_path: Path) -> None:
    hub.ranges = False
    hub.truncate = [1_000_000]
    assert_complete(fetch(hub, tmp_path))


def test_a_wrong_range_is_not_glued_on(hub: Hub, tmp_path: Path) -> None:
    hub.shift = 7
    hub.truncate = [1_000_000]
    assert_complete(fetch(hub, tmp_path))


def test_a_part_that_is_too_long_is_thrown_away(hub: Hub, tmp_path: Path) -> None:
    part = tmp_path / "tiny/whisper/model.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS + b"more")
    assert_complete(fetch(hub, tmp_path))


def test_redirects_are_followed_range_and_all(hub: Hub, tmp_path: Path) -> None:
    hub.redirect = True
    hub.truncate = [1_000_000]
    assert_complete(fetch(hub, tmp_path))
    assert ("/cdn/maker/model/resolve/0a1b2c/weights.bin", "bytes=1000000-") in hub.seen


def test_answers_that_may_get_better_are_tried_again(hub: Hub, tmp_path: Path) -> None:
    hub.statuses = [503, 429, 500]
    assert_complete(fetch(hub, tmp_path))


def test_a_hub_that_stays_down_is_given_up(hub: Hub, tmp_path: Path) -> None:
    hub.statuses = [503] * 20
    with pytest.raises(PullError, match=r"weights\.bin: the hub answered 503.*--hub-url"):
        fetch(hub, tmp_path)
    assert len(hub.seen) == ATTEMPTS


def test_a_missing_file_is_told_at_once(hub: Hub, tmp_path: Path) -> None:
    del hub.files["/maker/model/resolve/0a1b2c/weights.bin"]
    with pytest.raises(PullError, match=r"404 Not Found for http://.*/weights\.bin"):
        fetch(hub, tmp_path)
    assert len(hub.seen) == 1


def test_wrong_bytes_are_never_put_in_place(hub: Hub, tmp_path: Path) -> None:
    hub.files["/maker/model/resolve/0a1b2c/weights.bin"] = bytes(len(WEIGHTS))
    with pytest.raises(PullError, match="SHA-256"):
        fetch(hub, tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_longer_file_than_the_pinned_one_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.files["/maker/model/resolve/0a1b2c/weights.bin"] = WEIGHTS + b"x"
    with pytest.raises(PullError, match="longer than the 3000000 bytes"):
        fetch(hub, tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_no_network_is_told_with_the_way_out(tmp_path: Path) -> None:
    nobody = Hub()
    nobody.close()
    with pytest.raises(PullError, match="Check the network and the proxy"):
        fetch(nobody, tmp_path)


def test_a_full_disk_is_seen_before_the_download(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(total=10**12, used=10**12 - 10**6, free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(PullError, match=r"no room for .*model\.bin.*models\.dir"):
        fetch(hub, tmp_path)
    assert hub.seen == []


def test_a_disk_that_fills_up_is_told(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PullError, match="No space left on device: free some space"):
        fetch(hub, tmp_path)


def test_a_directory_that_cannot_be_written_is_told(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "tiny").write_bytes(b"a file where the directory should be")
    with pytest.raises(PullError, match="cannot write"):
        fetch(hub, tmp_path)


def test_the_catalogue_pins_every_file() -> None:
    assert list(CATALOGUE) == ["small", "medium", "large"]
    for known in CATALOGUE.values():
        targets = [file.target for file in known.files]
        assert len(targets) == len(set(targets))
        assert {"en", "es"} <= set(known.languages)
        assert {"whisper/model.bin", "whisper/config.json", "whisper/tokenizer.json"} <= {*targets}
        assert "llama.gguf" in targets
        for language in known.languages:
            assert {f"voices/{language}.onnx", f"voices/{language}.onnx.json"} <= {*targets}
        for file in known.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert len(bytes.fromhex(file.revision)) == 20
            assert file.size > 0
        assert all(part.licence for part in known.parts)
    sizes = [known.size for known in CATALOGUE.values()]
    assert sizes == sorted(sizes)
