"""Real calls that an answering machine takes: it greets, beeps and listens."""

import re
import wave
from pathlib import Path

import numpy as np
import pytest

from api.settings import Sms
from pbx.testbed import TestBed, persona
from tests.e2e.conftest import Phone, phoning
from tests.e2e.test_orders import WHOLE_WEEK
from tests.e2e.test_personas import ended_once
from tests.pbx.test_asterisk_messages import arrived
from voice_loop.audio import Samples, frame_samples, level_dbfs
from voice_loop.tone import ToneDetector

MESSAGE = "hello {{name}}, this is north dental. please call us back. goodbye."
SAID = "hello maria lopez, this is north dental. please call us back. goodbye."


def heard_by_machine(phone: Phone) -> int:
    """How many machines of the carrier have heard something after their beep."""
    return len(re.findall(r"NOTICE\[.*voicemail NOISE", phone.bed.carrier.log()))


def recorded(phone: Phone, name: str) -> tuple[list[Samples], list[Samples], int]:
    """The frames of both sides, the machine's and the agent's, and the rate."""
    with wave.open(str(phone.server.settings.recordings.dir / name)) as file:
        rate, size = file.getframerate(), frame_samples(file.getframerate())
        audio = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    whole = audio[: len(audio) // size * size].astype(np.int16)
    machine, agent = (list(whole[:, side].reshape(-1, size)) for side in (0, 1))
    return machine, agent, rate


@pytest.mark.rows("CB-40", "CB-44", "CB-45", "CB-56", "CB-58…60", "CB-62", "CB-63", "RV-92")
async def test_a_machine_is_hung_up_on_at_its_beep(either_phone: Phone) -> None:
    phone = either_phone
    call = await phone.call("voicemail")
    assert (call["status"], call["answered_by"], call["end_reason"]) == (
        "no_answer",
        "machine",
        "voicemail",
    )
    assert (call["result"], call["outcome"], call["summary"]) == (None, None, None)
    assert (call["billed_duration_seconds"], call["reservation_status"]) == (0, "released")
    assert call["answered_at"] is not None
    assert ended_once(phone, call)
    # The greeting takes 5.6 s, the beep 0.4 s.
    turns = await phone.turns(call["id"])
    assert turns[0]["speaker"] == "person"
    assert call["duration_seconds"] <= 10


@pytest.mark.rows("CB-41", "RV-8", "RV-91…94", "RV-114", "RV-503", "X-OI-9")
async def test_a_message_is_left_after_the_beep_at_each_attempt_and_one_text_is_sent(
    bed: TestBed, tmp_path: Path
) -> None:
    async with phoning(bed, tmp_path, sms=Sms(kind="sip")) as phone:
        before = heard_by_machine(phone)
        call = await phone.call(
            "voicemail",
            voicemail_action="leave_message",
            voicemail_message=MESSAGE,
            voicemail_sms_prompt="{{name}}, please call north dental.",
            variables={"name": "maria lopez"},
            retry=WHOLE_WEEK | {"max_attempts": 2, "call_twice_in_a_row": True},
        )
        assert (call["status"], call["answered_by"], call["attempt_count"]) == (
            "no_answer",
            "machine",
            2,
        )
        types = phone.types(call["id"])
        assert (types.count("call.attempt_ended"), types.count("call.no_answer")) == (1, 1)
        turns = await phone.turns(call["id"])
        left = [turn for turn in turns if turn["text"] == SAID]
        assert [(turn["speaker"], turn["interrupted"]) for turn in left] == [("agent", False)] * 2
        assert heard_by_machine(phone) == before + 2
        for name in (f"{call['id']}.wav", f"{call['id']}-2.wav"):
            machine, agent, rate = recorded(phone, name)
            tones = ToneDetector(rate)
            (beep,) = [at for at, frame in enumerate(machine) if tones.push(frame)]
            spoken = [at for at, frame in enumerate(agent) if level_dbfs(frame) > -35]
            assert len([at for at in spoken if at > beep]) > 100, "two seconds of words"
            # It may have begun to answer the greeting before it heard the beep.
            assert min(at for at in spoken if at > beep) <= beep + 25
        _, text = await arrived(bed, persona("voicemail").number)
        assert text == "maria lopez, please call north dental."
