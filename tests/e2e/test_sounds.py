"""A real call with sounds beside the agent's voice, as its recording has it."""

import wave

import numpy as np
import pytest

from tests.e2e.conftest import Phone
from voice_loop.audio import FRAME_MS, Samples, level_dbfs


@pytest.mark.rows("RV-17", "RV-20", "RV-73", "RV-82", "RV-86", "RV-247")
async def test_a_conversation_with_sounds_goes_as_without_and_they_are_in_its_recording(
    phone: Phone,
) -> None:
    call = await phone.call(
        "talker",
        background_sound="audio/office.ogg",
        # The persona waits for silence, which ends at some -42 dBFS for it.
        background_sound_volume=0.1,
        thinking_sound="hold_music.ogg",
        thinking_sound_volume=0.8,
        voice={"volume": 1.5},
    )
    assert (call["status"], call["result_status"]) == ("completed", "completed")
    assert call["result"]["confirmed"] is True
    turns = await phone.turns(call["id"])
    assert [turn["speaker"] for turn in turns[:3]] == ["person", "agent", "person"]
    assert not any(turn["interrupted"] for turn in turns), "nobody takes the sounds for speech"

    frames = _agents_frames(phone, call["id"])
    levels = [level_dbfs(frame) for frame in frames]
    fade, beside = 500 // FRAME_MS, levels[500 // FRAME_MS :]
    assert levels[0] < levels[fade]
    assert min(beside) > -60, "the background is there all the time"
    assert np.percentile(beside, 25) < -42, "and stays behind the voice"
    assert np.percentile(beside, 95) > -25, "and so is the voice"


def _agents_frames(phone: Phone, call_id: str) -> list[Samples]:
    folder = phone.server.settings.recordings.dir
    with wave.open(str(folder / f"{call_id}.wav")) as recording:
        audio = np.frombuffer(recording.readframes(recording.getnframes()), "<i2")
        size = recording.getframerate() * FRAME_MS // 1000
    agent = audio.reshape(-1, 2)[:, 1].astype(np.int16)
    return [agent[at : at + size] for at in range(0, agent.size - size + 1, size)]
