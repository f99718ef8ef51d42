"""Recordings in the format that is asked for, whatever they are kept in."""

import io
import time
import wave
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from api.calls.recording_conversion import ConversionError, convert
from api.calls.recording_folder import recording_name
from api.calls.recording_formats import FORMATS, Format
from api.resources.attempt import Ended
from tests.api.calls.test_recording_formats import alike, conversation, decoded
from tests.api.conftest import Bench
from tests.api.routes.test_calls import run_to_answer
from tests.api.story import NORMAL
from voice_loop.audio import Samples

OTHER: Final[dict[Format, Format]] = {"wav": "opus", "opus": "wav"}


def kept(path: Path, audio: Samples, rate: int, kept_as: Format) -> Path:
    with path.open("wb") as file:
        writer = FORMATS[kept_as].writer(file, rate)
        for start in range(0, len(audio), rate):
            writer.write(audio[start : start + rate])
        writer.close()
    return path


def samples_of(data: bytes, rate: int) -> Samples:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (rate, 2, 2)
        read = file.readframes(file.getnframes())
        assert len(read) == 4 * file.getnframes() == len(data) - 44
        return np.frombuffer(read, "<i2").reshape(-1, 2)


@pytest.mark.parametrize("rate", [8000, 16_000])
@pytest.mark.parametrize("length_s", [0.02, 1.0, 4.98, 12.34])
def test_either_is_made_of_the_other_as_long_and_as_it_sounded(
    tmp_path: Path, rate: int, length_s: float
) -> None:
    audio = np.resize(conversation(rate), (round(length_s * rate), 2))
    opus = kept(tmp_path / "a.opus", audio, rate, "opus")
    made = convert(opus, "wav")
    data = b"".join(made.pieces)
    assert made.size == len(data)
    heard = samples_of(data, rate)
    assert len(heard) == len(audio)
    made = convert(kept(tmp_path / "a.wav", audio, rate, "wav"), "opus")
    assert made.size is None
    again = tmp_path / "again.opus"
    again.write_bytes(b"".join(made.pieces))
    assert len(decoded(again, rate)) == len(audio)
    if length_s > 1:
        for side in (0, 1):
            assert alike(audio[:, side], heard[:, side]) > 0.9
            assert alike(audio[:, side], decoded(again, rate)[:, side]) > 0.9


def test_a_long_one_is_made_in_pieces_of_little_memory(tmp_path: Path) -> None:
    audio = np.resize(conversation(8000), (600 * 8000, 2))
    for kept_as, other in OTHER.items():
        path = kept(tmp_path / f"a{FORMATS[kept_as].ending}", audio, 8000, kept_as)
        sizes = [len(piece) for piece in convert(path, other).pieces]
        assert len(sizes) > 100
        assert max(sizes) < 250_000


def test_an_ogg_file_that_a_crash_cut_short_is_as_long_as_what_is_left(tmp_path: Path) -> None:
    path = kept(tmp_path / "a.opus", conversation(8000), 8000, "opus")
    path.write_bytes(path.read_bytes()[:-700])
    made = convert(path, "wav")
    data = b"".join(made.pieces)
    assert made.size == len(data)
    heard = samples_of(data, 8000)
    assert 0.5 * len(conversation(8000)) < len(heard) < len(conversation(8000))
    assert np.any(heard[-8000:])


@pytest.mark.parametrize("content", [b"", b"OggS" + bytes(100), b"RIFF" + bytes(range(100))])
@pytest.mark.parametrize("kept_as", ["wav", "opus"])
def test_what_is_broken_is_told(tmp_path: Path, content: bytes, kept_as: Format) -> None:
    path = tmp_path / f"a{FORMATS[kept_as].ending}"
    path.write_bytes(content)
    with pytest.raises(ConversionError):
        list(convert(path, OTHER[kept_as]).pieces)


# -- over HTTP -------------------------------------------------------------------------------------


async def recorded(bench: Bench, kept_as: Format, seconds: float = 4.0) -> str:
    """The path of a recording."""
    call_id = str((await bench.create())["id"])
    await run_to_answer(bench, call_id)
    name = recording_name(call_id, 1, FORMATS[kept_as].ending)
    audio = np.resize(conversation(8000), (round(seconds * 8000), 2))
    kept(bench.recordings / name, audio, 8000, kept_as)
    ended = Ended(time.time(), NORMAL, "agent_hangup", recording_path=name)
    await bench.store.calls.record_ended(call_id, ended)
    return f"/v1/calls/{call_id}/recording"


TYPES: Final[dict[Format, str]] = {"wav": "audio/wav", "opus": "audio/ogg"}
STARTS: Final[dict[Format, bytes]] = {"wav": b"RIFF", "opus": b"OggS"}


@pytest.mark.parametrize("kept_as", ["wav", "opus"])
async def test_a_recording_comes_as_it_is_asked_for(bench: Bench, kept_as: Format) -> None:
    path = await recorded(bench, kept_as)
    stored = await bench.client.get(path)
    tags = {stored.headers["etag"]}
    for wanted in ("wav", "opus"):
        for asked, accept in (
            (f"{path}?format={wanted}", "*/*"),
            (f"{path}?format={wanted}", TYPES[OTHER[wanted]]),
            (path, TYPES[wanted]),
            (path, f"text/html, {TYPES[wanted]};q=0.9, audio/*;q=0.2"),
        ):
            answer = await bench.client.get(asked, headers={"Accept": accept})
            assert (answer.status_code, answer.headers["content-type"]) == (200, TYPES[wanted])
            assert answer.content[:4] == STARTS[wanted]
            ending = FORMATS[wanted].ending
            assert answer.headers["content-disposition"].endswith(f'{ending}"')
            assert ("accept" in answer.headers.get("vary", "").lower()) is (asked == path)
            same = wanted == kept_as
            assert (answer.content == stored.content) is same
            assert (answer.headers["etag"] in tags) is same
            assert answer.headers["accept-ranges"] == ("bytes" if same else "none")
            if wanted == "wav":
                assert answer.headers["content-length"] == str(len(answer.content))
                assert len(samples_of(answer.content, 8000)) == 32_000
        part = await bench.client.get(f"{path}?format={wanted}", headers={"Range": "bytes=0-3"})
        assert part.status_code == (206 if wanted == kept_as else 200)


@pytest.mark.parametrize("accept", ["*/*", "audio/*", "application/json", "audio/mpeg", ";q=x,,"])
async def test_who_takes_either_or_neither_gets_what_is_kept(bench: Bench, accept: str) -> None:
    path = await recorded(bench, "opus")
    answer = await bench.client.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/ogg")


async def test_a_link_is_for_the_format_that_it_was_asked_for(bench: Bench) -> None:
    path = await recorded(bench, "wav")
    link = (await bench.client.get(f"{path}_link?format=opus")).json()["url"]
    answer = await bench.client.get("/" + link.partition("//")[2].partition("/")[2])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/ogg")
    link = (await bench.client.get(f"{path}_link")).json()["url"]
    here = "/" + link.partition("//")[2].partition("/")[2]
    for accept, kind in (("audio/ogg", "audio/ogg"), ("*/*", "audio/wav")):
        answer = await bench.client.get(here, headers={"Accept": accept})
        assert answer.headers["content-type"] == kind


async def test_a_head_tells_the_same_and_makes_nothing(bench: Bench) -> None:
    path = await recorded(bench, "opus")
    head = await bench.client.head(f"{path}?format=wav")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == "audio/wav"
    assert head.headers["content-length"] == str(44 + 32_000 * 4)


async def test_another_format_is_refused_and_a_broken_file_told(bench: Bench) -> None:
    path = await recorded(bench, "wav")
    answer = await bench.client.get(f"{path}?format=mp3")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "format")
    name = f"{path.split('/')[3]}.wav"
    (bench.recordings / name).write_bytes(b"RIFF" + bytes(range(100)))
    answer = await bench.client.get(f"{path}?format=opus")
    assert (answer.status_code, answer.json()["code"]) == (409, "recording_unreadable")
    assert (await bench.client.get(path)).status_code == 200


async def test_while_a_long_one_is_made_others_are_answered(bench: Bench) -> None:
    """An hour takes seconds of a core: not those of the loop that the calls run in."""
    path = await recorded(bench, "wav", 600.0)
    late = 0.0
    async with bench.client.stream("GET", f"{path}?format=opus") as answer:
        size = 0
        async for piece in answer.aiter_raw():
            size += len(piece)
            begun = time.monotonic()
            assert (await bench.client.get("/v1/calls?limit=1")).status_code == 200
            late = max(late, time.monotonic() - begun)
    assert size > 1_000_000
    assert late < 0.5
