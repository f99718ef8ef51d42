"""What of a call is recorded, and that nothing else of it is on the disk: pauses by API and by
agent, the announcement, objections, and calls that are not recorded at all.

The store, HTTP, the conversation and the recorder are the real ones; PBX and engines are played.
"""

import asyncio
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pytest

from api.resources.call import Call
from api.settings.server import Recordings
from api.store import Store
from api.tools.recording import PauseRecording, SwitchRecording
from api.tools.transfer import HandOver
from tests.api.conftest import benching
from tests.api.dialing.test_dialer import dialing
from tests.api.story import new_call
from tests.api.switchboard import RATE, Office, PlayedAttempt, over, story, until
from tests.voice_loop.scripted import CHAR_MS, OPENING, frame, settle
from voice_loop.audio import FRAME_MS, Samples, silence
from voice_loop.ports import Line
from voice_loop.prompts import tool_call_text

pytestmark = pytest.mark.usefixtures("nothing_is_left")

ANNOUNCEMENT: Final = "this call is recorded."
#: How long the voice takes for it.
FRAMES: Final = CHAR_MS * len(ANNOUNCEMENT) // FRAME_MS
#: Sounds that nobody else makes, too soft for words: 20 ms that are looked for byte by byte.
SECRET: Final[Samples] = (np.arange(160) * 5 + 101).astype(np.int16)
OPEN: Final[Samples] = (np.arange(160) * 3 + 107).astype(np.int16)


class Answered:
    """A call that is answered, run by a dialer, and reached over HTTP."""

    def __init__(self, office: Office, attempt: PlayedAttempt, call_id: str) -> None:
        self.office, self.attempt, self.id = office, attempt, call_id
        self.client: httpx.AsyncClient

    async def asks(self, what: str) -> tuple[int, dict[str, Any]]:
        answer = await self.client.post(f"/v1/calls/{self.id}/recording/{what}")
        return answer.status_code, answer.json()

    async def is_told(self) -> dict[str, Any]:
        return dict((await self.client.get(f"/v1/calls/{self.id}")).json()["recording_details"])

    async def sounds(self, sound: Samples, frames: int = 5) -> None:
        for _ in range(frames):
            await self.attempt.tick(sound)

    async def ends(self) -> dict[str, Any]:
        await self.sounds(silence(RATE))
        self.attempt.end()
        await until(self.office.store, self.id, "completed")
        await over(self.office.store, self.id)
        return dict((await self.client.get(f"/v1/calls/{self.id}")).json())

    def on_disk(self) -> bytes:
        """Every byte in the recordings folder."""
        assert self.office.recordings is not None
        if not self.office.recordings.exists():
            return b""
        return b"".join(file.read_bytes() for file in self.office.recordings.rglob("*"))

    def is_on_disk(self, sound: Samples) -> bool:
        """Whether a frame is there, by itself or in either of two channels."""
        there = self.on_disk()
        samples = np.frombuffer(there[: len(there) // 2 * 2], "<i2")
        ways = (samples, samples[::2], samples[1::2])
        return any(sound.tobytes() in way.tobytes() for way in ways)

    def recorded(self) -> Samples:
        assert self.office.recordings is not None
        with wave.open(str(self.office.recordings / f"{self.id}.wav")) as file:
            return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


class Reach:
    """Makes such calls."""

    def __init__(self, office: Office, folder: Path, stack: AsyncExitStack) -> None:
        self._office, self._folder, self._stack = office, folder, stack

    async def __call__(self, **order: Any) -> Answered:
        store = self._office.store
        bench = await self._stack.enter_async_context(benching(store, self._folder))
        await self._stack.enter_async_context(dialing(self._office))
        order = {"prompt": "hi", **order}
        call = await new_call(store, **order)
        attempt = await self._office.switch.dialed()
        made = Answered(self._office, attempt, call.id)
        made.client = bench.client
        attempt.ring()
        attempt.answer()
        await until(store, call.id, "answered")
        await settle()
        return made


@pytest.fixture
async def reach(office: Office, tmp_path: Path) -> AsyncIterator[Reach]:
    async with AsyncExitStack() as stack:
        yield Reach(office, tmp_path / "bench", stack)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is written to all the time: what must not be there has every chance to be."""
    monkeypatch.setattr("api.calls.recording._FLUSH_SECONDS", 0.001)
    monkeypatch.setattr("api.dialing.dialer._LINK_CHECK_S", 0.0)


def events(types: Sequence[str]) -> list[str]:
    return [one for one in types if one.startswith("recording.")]


# -- pauses ----------------------------------------------------------------------------------------


@pytest.mark.both_stores
async def test_what_is_said_in_a_pause_is_on_no_disk(reach: Reach, store: Store) -> None:
    call = await reach()
    await call.attempt.until_spoken()
    assert (await call.is_told()) == {
        "status": "recording",
        "announcement": None,
        "objection": None,
        "pauses": [],
    }
    await call.sounds(OPEN)
    status, paused = await call.asks("pause")
    assert (status, paused["recording_details"]["status"]) == (200, "paused")
    assert (await call.asks("pause"))[0] == 200
    for _ in range(4):
        await call.sounds(SECRET)
        await asyncio.sleep(0.01)
        assert not call.is_on_disk(SECRET)
    status, resumed = await call.asks("resume")
    assert (status, resumed["recording_details"]["status"]) == (200, "recording")
    assert (await call.asks("resume"))[0] == 200
    await call.sounds(OPEN)
    ended = await call.ends()
    assert not call.is_on_disk(SECRET)
    assert call.is_on_disk(OPEN)
    (pause,) = ended["recording_details"]["pauses"]
    assert (pause["by"], pause["started_at"] < pause["ended_at"]) == ("api", True)
    assert ended["recording_details"]["status"] == "ended"
    assert events(await story(store, call.id)) == [
        "recording.paused",
        "recording.resumed",
        "recording.available",
    ]
    person = call.recorded()[:, 0].reshape(-1, 160)
    spoken = [bool((one == OPEN).all()) for one in person]
    assert spoken.count(True) == 10
    first = spoken.index(True)
    last = len(spoken) - spoken[::-1].index(True)
    assert spoken[first : first + 5] == spoken[last - 5 : last] == [True] * 5
    assert last - first >= 30
    assert not person[first + 5 : last - 5].any()
    (attempt,) = (await call.client.get(f"/v1/calls/{call.id}/attempts")).json()["data"]
    assert attempt["recording_details"] == ended["recording_details"]


async def test_a_call_may_end_in_a_pause(reach: Reach) -> None:
    call = await reach()
    await call.attempt.until_spoken()
    await call.asks("pause")
    await call.sounds(SECRET)
    ended = await call.ends()
    (pause,) = ended["recording_details"]["pauses"]
    assert pause["ended_at"] == ended["ended_at"]
    assert (await call.asks("pause"))[1]["code"] == "not_in_progress"
    assert not call.is_on_disk(SECRET)
    assert ended["recording_available"]


async def test_the_agent_pauses_before_it_asks_for_a_card_number(
    reach: Reach, office: Office, store: Store
) -> None:
    office.tools = lambda _call, _line, _hand_over, pause: (
        SwitchRecording(True, pause),
        SwitchRecording(False, pause),
    )
    office.mind.answers |= {
        "i will pay by card.": tool_call_text("pause_recording", {}),
        "four two four two.": tool_call_text("resume_recording", {}),
    }
    call = await reach()
    await call.attempt.until_spoken()
    await office.hears(call.attempt, "i will pay by card.")
    await until(store, call.id, "recording.paused")
    await call.sounds(SECRET)
    await office.hears(call.attempt, "four two four two.")
    await until(store, call.id, "recording.resumed")
    ended = await call.ends()
    assert [pause["by"] for pause in ended["recording_details"]["pauses"]] == ["agent"]
    assert not call.is_on_disk(SECRET)
    card = np.int16(office.ears.code("four two four two."))
    assert card not in call.recorded()[:, 0]
    assert np.int16(office.ears.code("i will pay by card.")) in call.recorded()[:, 0]


async def test_the_agent_does_not_end_a_pause_of_the_api(reach: Reach, office: Office) -> None:
    pauses: list[PauseRecording] = []

    def tools(_call: Call, _line: Line, _hand_over: HandOver, pause: PauseRecording) -> tuple[()]:
        pauses.append(pause)
        return ()

    office.tools = tools
    call = await reach()
    (switch,) = pauses
    await call.asks("pause")
    switch(True)
    switch(False)
    await settle()
    assert (await call.is_told())["status"] == "paused"
    switch(True)
    assert (await call.asks("resume"))[1]["recording_details"]["status"] == "recording"
    await call.ends()


# -- the announcement ------------------------------------------------------------------------------


async def test_nothing_is_recorded_before_the_person_was_told(
    reach: Reach, office: Office, store: Store
) -> None:
    office.announcement = ANNOUNCEMENT
    call = await reach()
    assert (await call.is_told())["status"] == "announcing"
    spoken = 0
    while spoken < FRAMES:
        spoken += await call.attempt.tick(SECRET)
    await call.attempt.tick()
    await until(store, call.id, "recording.announced")
    await call.sounds(OPEN)
    ended = await call.ends()
    assert not call.is_on_disk(SECRET)
    told = ended["recording_details"]["announcement"]
    assert told["text"] == ANNOUNCEMENT
    assert ended["answered_at"] < told["said_at"] < ended["ended_at"]
    kinds = await story(store, call.id)
    assert kinds.index("answered") < kinds.index("recording.announced")
    first = np.flatnonzero(call.recorded().any(axis=1))[0] // 160
    assert first > FRAMES
    turns = await store.calls.turns(call.id)
    assert (turns[0].speaker, turns[0].text) == ("agent", ANNOUNCEMENT)


async def test_who_hangs_up_before_is_not_recorded(reach: Reach, office: Office) -> None:
    office.announcement = ANNOUNCEMENT
    call = await reach()
    for _ in range(40):
        await call.attempt.tick(SECRET)
    ended = await call.ends()
    assert not ended["recording_available"]
    assert ended["recording_details"]["announcement"] == {"text": ANNOUNCEMENT, "said_at": None}
    assert call.on_disk() == b""


# -- objections ------------------------------------------------------------------------------------


@pytest.mark.both_stores
async def test_an_objection_deletes_what_there_is_and_the_call_goes_on(
    reach: Reach, office: Office, store: Store
) -> None:
    call = await reach()
    await call.attempt.until_spoken()
    await call.sounds(OPEN)
    await asyncio.sleep(0.02)
    assert call.on_disk() != b""
    await office.hears(call.attempt, "please don't record this.")
    await until(store, call.id, "recording.objected")
    await asyncio.sleep(0.02)
    assert call.on_disk() == b""
    assert not call.attempt.hang_ups
    await call.sounds(SECRET)
    await office.hears(call.attempt, "tomorrow please.")
    assert (await call.asks("pause"))[1]["code"] == "not_recorded"
    ended = await call.ends()
    assert call.on_disk() == b""
    facts = ended["recording_details"]
    assert (facts["status"], facts["objection"]["by"]) == ("objected", "words")
    assert facts["objection"]["words"] == "don't record"
    assert not ended["recording_available"]
    recording = await call.client.get(f"/v1/calls/{call.id}/recording")
    assert recording.json()["code"] == "no_recording"
    assert events(await story(store, call.id)) == ["recording.objected"]
    assert ("person", "tomorrow please.") in [
        (turn.speaker, turn.text) for turn in await store.calls.turns(call.id)
    ]


async def test_an_objection_within_the_announcement_is_heard(
    reach: Reach, office: Office, store: Store
) -> None:
    office.announcement = ANNOUNCEMENT
    call = await reach()
    for _ in range(40):
        await call.attempt.tick()
    for _ in range(25):
        await call.attempt.tick(frame(office.ears.code("do not record me.")))
    while "recording.objected" not in await story(store, call.id):
        await call.attempt.tick()
    await call.attempt.until_spoken()
    ended = await call.ends()
    assert ended["recording_details"]["status"] == "objected"
    assert call.on_disk() == b""
    assert OPENING in [turn.text for turn in await store.calls.turns(call.id)]


async def test_a_key_objects(reach: Reach, office: Office, store: Store) -> None:
    office.recording = Recordings(objection_key="*")
    call = await reach()
    await call.attempt.until_spoken()
    await call.sounds(OPEN)
    call.attempt.press("1")
    call.attempt.press("*")
    await until(store, call.id, "recording.objected")
    ended = await call.ends()
    assert ended["recording_details"]["objection"]["by"] == "key"
    assert ended["recording_details"]["objection"]["words"] == "*"
    assert call.on_disk() == b""


async def test_objections_can_be_left_to_people(reach: Reach, office: Office) -> None:
    office.recording = Recordings(objections=False)
    call = await reach()
    await call.attempt.until_spoken()
    await office.hears(call.attempt, "please don't record this.")
    assert (await call.ends())["recording_available"]


# -- calls that are not recorded -------------------------------------------------------------------


async def test_a_call_that_is_not_recorded_leaves_nothing(reach: Reach, office: Office) -> None:
    office.records = lambda _: False
    office.announcement = ""
    call = await reach()
    await call.attempt.until_spoken()
    for _ in range(5):
        await call.sounds(SECRET)
        await asyncio.sleep(0.01)
        assert call.on_disk() == b""
    assert (await call.asks("pause"))[1]["code"] == "not_recorded"
    assert (await call.asks("resume"))[1]["code"] == "not_recorded"
    ended = await call.ends()
    assert (ended["recording_details"], ended["recording_available"]) == (None, False)
    assert call.on_disk() == b""
