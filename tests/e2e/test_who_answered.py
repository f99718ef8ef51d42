"""Real calls that no person answers at first: Asterisk's voicemail, a menu, a screener, a queue."""

import re
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from api.settings import LlmEndpoint, Models
from api.settings.engines import TranscriberEndpoint
from pbx.testbed import SENTENCES, SOUNDS, TestBed
from tests.e2e.conftest import Phone, phoning
from tests.e2e.listener import listening
from tests.e2e.receptionist import Move, Told, receptionist
from tests.e2e.test_voicemail import recorded
from voice_loop.audio import level_dbfs
from voice_loop.tone import ToneDetector

MESSAGE = "hello maria lopez, this is north dental. please call us back. goodbye."
OPENING = "hello, this is the dental clinic."
SCREENED = "this is the dental clinic. i am calling about your appointment."
PROMPTS = {
    "vm-theperson": "the person at extension",
    "vm-isunavail": "is unavailable",
    "vm-intro": "please leave your message after the tone when done hang up or press the pound key",
    "vm-nobodyavail": "nobody is available to take your call at the moment",
    "vm-opts": "press 2 to change folders press 3 for advanced options press zero for mailbox "
    "options",
    "vm-reachoper": "press 0 to reach an operator",
    "vm-tocallback": "press 2 to call the person who sent this message",
    "queue-periodic-announce": "all of our representatives are currently busy please stay on the "
    "line and your call will be answered by the next available representative",
}
OURS = {
    "screening": "please state your name and why you are calling",
    **{name: SENTENCES[name] for name in ("hello", "confirm")},
}


def rules(told: Told) -> Move:
    """The way through the menus, and a word for whoever comes then."""
    if told.results:
        return "i see."
    # Of a menu, one of these words is enough: on a busy machine some are lost.
    for words, digits in (
        ({"call", "person", "sent"}, "2"),
        ({"reach", "operator"}, "0"),
        ({"folders", "change", "advanced", "mailbox"}, "0"),
    ):
        if words & set(told.said.split()):
            return "send_digits", {"digits": digits}
    return 'thank you, goodbye. <tool_call>{"name": "end_call", "arguments": {}}</tool_call>'


@asynccontextmanager
async def office(bed: TestBed, folder: Path) -> AsyncIterator[Phone]:
    """A server that hears what the recordings say, and whose model follows the rules."""
    prompts = bed.carrier_sounds
    known = {prompts / f"{name}.wav": text for name, text in PROMPTS.items()}
    known |= {Path(SOUNDS) / f"{name}.wav": text for name, text in OURS.items()}
    async with receptionist(rules) as mind, listening(known) as ears:
        heard = TranscriberEndpoint(url=ears.url, model="known", languages=("en",))
        models = Models(
            llms={"office": LlmEndpoint(url=mind.url, model="rules")},
            transcribers={"known": heard},
        )
        async with phoning(bed, folder, models=models) as phone:
            yield phone


async def call(phone: Phone, called: str, **fields: Any) -> dict[str, Any]:
    """A call of an agent that can find its way."""
    return await phone.call(
        called,
        prompt="Confirm the appointment.",
        returns={},
        llm={"model": "office"},
        transcriber={"model": "known"},
        first_sentence=OPENING,
        first_sentence_mode="static",
        first_sentence_delay_ms=2_000,
        voicemail_message=MESSAGE,
        screening_message=SCREENED,
        tools=[{"type": "send_digits"}, {"type": "skip_turn"}],
        **fields,
    )


async def answerer(phone: Phone, call_id: str) -> dict[str, Any]:
    found = await phone.ask("GET", f"/v1/calls/{call_id}/attempts")
    told: dict[str, Any] = found["data"][-1]["answerer"]
    return told


def said(turns: list[dict[str, Any]]) -> list[str]:
    return [turn["text"] for turn in turns if turn["speaker"] == "agent"]


def seconds_of_sound(path: Path) -> float:
    """How much of a recording is not silence, in seconds."""
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
        rate = file.getframerate()
    size = rate // 50
    frames = sound[: sound.size // size * size].reshape(-1, size)
    return sum(level_dbfs(frame) > -44 for frame in frames) / 50


async def test_asterisks_voicemail_has_our_whole_message_and_nothing_before_it(
    bed: TestBed, tmp_path: Path
) -> None:
    async with office(bed, tmp_path) as phone:
        over = await call(phone, "mailbox")
        turns = await phone.turns(over["id"])
        assert (over["status"], over["answered_by"], over["end_reason"]) == (
            *("no_answer", "machine", "voicemail"),
        )
        assert said(turns) == [MESSAGE], "not a word into the greeting"
        assert (await answerer(phone, over["id"]))["who"] == "voicemail"
        kept = sorted((bed.carrier.home / "spool/voicemail").rglob("msg*.wav"))
        machine, agent, rate = recorded(phone, f"{over['id']}.wav")
        tones = ToneDetector(rate)
        beep = max(at for at, frame in enumerate(machine) if tones.push(frame))
        sent = sum(level_dbfs(frame) > -44 for frame in agent[beep:]) / 50
        assert kept, "the machine kept the message"
        assert abs(seconds_of_sound(kept[-1]) - sent) <= 0.25, "all of it"


async def test_without_a_beep_the_message_is_left_all_the_same(
    bed: TestBed, tmp_path: Path
) -> None:
    async with office(bed, tmp_path) as phone:
        before = len(re.findall(r"NOTICE\[.*voicemail NOISE", bed.carrier.log()))
        over = await call(phone, "silent mailbox")
        assert (over["answered_by"], over["end_reason"]) == ("machine", "voicemail")
        assert said(await phone.turns(over["id"])) == [MESSAGE]
        assert len(re.findall(r"NOTICE\[.*voicemail NOISE", bed.carrier.log())) == before + 1


async def test_a_menu_of_three_levels_is_walked_to_the_person(bed: TestBed, tmp_path: Path) -> None:
    async with office(bed, tmp_path) as phone:
        over = await call(phone, "menus")
        turns = await phone.turns(over["id"])
        keys = re.findall(r"NOTICE\[.*menu (\d) key (\S)", bed.carrier.log())
        assert keys[-3:] == [("1", "0"), ("2", "0"), ("3", "2")], turns
        assert said(turns)[0] == OPENING, "the person was greeted, no menu was"
        assert (over["status"], over["answered_by"]) == ("completed", "human")


async def test_a_screener_is_told_who_calls_and_the_person_is_greeted(
    bed: TestBed, tmp_path: Path
) -> None:
    async with office(bed, tmp_path) as phone:
        over = await call(phone, "screener")
        turns = await phone.turns(over["id"])
        assert said(turns)[:2] == [SCREENED, OPENING]
        assert (over["status"], over["answered_by"]) == ("completed", "human")


async def test_a_queue_is_waited_through_silently(bed: TestBed, tmp_path: Path) -> None:
    async with office(bed, tmp_path) as phone:
        over = await call(phone, "queue")
        turns = await phone.turns(over["id"])
        assert said(turns)[0] == OPENING
        opened = next(turn for turn in turns if turn["speaker"] == "agent")
        began = (
            np.datetime64(opened["started_at"].removesuffix("Z"))
            - np.datetime64(over["answered_at"].removesuffix("Z"))
        ) / np.timedelta64(1, "s")
        assert began > 12, "not a word to the music"
        assert (over["status"], over["answered_by"]) == ("completed", "human")
