"""Latency on the wire with engines that take a known time: all that is not theirs is ours.

    python -m bench.latency [--calls 1 20 100] [--turns 6] [--json]

A person who is a process of its own calls and orders a coffee over RTP (the closed part of the
laboratory's recordings), is answered, and speaks again. From the last packet in which its voice is
loud to the first loud one that comes back.
Speech recognition takes 100 ms, the language model 150 ms to its first word and 20 ms for each
further one, the voice 80 ms to its first sound. What hears speech, turns and interruptions is real.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import socket
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np

from api import lab
from bench.media import LOOPBACK, SLOTS, Address
from models.onset import OnsetNet
from models.recordings import recordings
from models.turn_end import TurnEnd
from models.vad import Ears
from pbx.codecs import PCMU
from pbx.framing import framing_of
from pbx.media import MediaServer
from pbx.rtp import parse
from voice_loop.audio import FRAME_MS, FRAMES_PER_SECOND, Samples, silence
from voice_loop.config import ConversationConfig
from voice_loop.conversation import Conversation
from voice_loop.events import Turn
from voice_loop.playout import is_voiced
from voice_loop.ports import Engines, Transcript
from voice_loop.prompts import Message

HEARS_S: Final = 0.100
THINKS_S: Final = 0.150
WORD_S: Final = 0.020
SPEAKS_S: Final = 0.080
SAID: Final = "I would like a large coffee with milk, please."
ANSWER: Final = "Good. Then we see you on Monday at ten."
#: Between the answer's first word and the person's next.
LISTENS_S: Final = 1.5
GIVES_UP_S: Final = 5.0
#: A peak above it is speech, and no noise of the recording.
LOUD: Final = 600
PEOPLE: Final = Path(lab.__file__).with_name("recordings")


class StubEars:
    """Hears the same whatever is said."""

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:  # noqa: ARG002
        await asyncio.sleep(HEARS_S)
        return Transcript(SAID, 0.9)


class StubMind:
    """Answers the same to everything."""

    async def stream(self, messages: Sequence[Message], **_: Any) -> AsyncGenerator[str, None]:  # noqa: ARG002
        await asyncio.sleep(THINKS_S)
        for word in ANSWER.split():
            yield word + " "
            await asyncio.sleep(WORD_S)

    def release(self, cache_key: str) -> None:
        pass


class StubMouth:
    """Speaks a tone."""

    rate = 8000

    async def stream(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:  # noqa: ARG002
        await asyncio.sleep(SPEAKS_S)
        yield np.full(self.rate // 20 * len(text.split()), 5000, dtype=np.int16)


class OneLine:
    """A line that is cut by its far end alone."""

    rate = 8000

    def __init__(self, number: int) -> None:
        self.id = f"line-{number}"

    async def hang_up(self) -> None:
        pass

    async def send_digits(self, digits: str) -> None:
        pass


@dataclass(frozen=True)
class Result:
    """One run; milliseconds."""

    calls: int
    answers: int
    unanswered: int
    p50_ms: float
    p95_ms: float
    cpu_percent_per_call: float
    """Of a core."""
    mb_per_call: float
    """Resident, at the end beside before the calls."""


async def measure(calls: int, turns: int) -> Result:
    """Hold so many conversations at a time, of so many turns each."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    people = context.Process(target=converse, args=(theirs, calls, turns), daemon=True)
    people.start()
    server = MediaServer(LOOPBACK, 44000, 44999, max_legs=calls)
    await server.start()
    turn_end = TurnEnd()
    engines = Engines(
        *(StubEars(), StubMind(), StubMouth(), Ears().detector),
        turn_end=turn_end,
        onset=OnsetNet(),
    )
    # They call us: nobody asks whether a machine is there.
    config = ConversationConfig("Take the order.", first_sentence_mode="none", voicemail="ignore")
    before = resident_mb()
    tasks = []
    try:
        for number, remote in enumerate(await asyncio.to_thread(ours.recv)):
            one = Conversation(f"call-{number}", config, engines, 8000, _ignore)
            tasks.append(asyncio.create_task(one.run(OneLine(number))))
            leg = server.open_leg(PCMU)
            leg.attach(one)
            leg.connect(remote)
        ours.send(server.address)
        cpu, wall = time.process_time(), time.monotonic()
        took = await asyncio.to_thread(ours.recv)
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        grown = resident_mb() - before
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.close()
        turn_end.close()
        people.terminate()
        people.join(5)
    answered = [one for one in took if one is not None]
    p50, p95 = np.percentile(answered, [50, 95]) if answered else (np.nan, np.nan)
    unanswered = len(took) - len(answered)
    share = 100 * cpu / wall / calls
    return Result(calls, len(answered), unanswered, float(p50), float(p95), share, grown / calls)


def resident_mb() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def _ignore(turn: Turn) -> None:
    """Turns are of no interest here."""


class Person:
    """One far end, frame by frame."""

    def __init__(self, sentences: Sequence[Sequence[Samples]], turns: int, begins_s: float) -> None:
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.udp.bind((LOOPBACK, 0))
        self.took: list[float | None] = []
        """Milliseconds to each answer; None where none came."""
        self._framing = framing_of(PCMU)
        self._sentences = sentences
        self._turns = turns
        self._speaks_at = begins_s
        self._next: int | None = None
        self._voiced_at: float | None = None

    @property
    def done(self) -> bool:
        return len(self.took) == self._turns

    def tick(self, target: Address, now: float) -> None:
        """Send one frame; `now` counts from the beginning, in seconds."""
        if self._next is None and self._voiced_at is None and now >= self._speaks_at:
            self._next = 0
        frame = silence(PCMU.rate)
        if self._next is not None:
            sentence = self._sentences[len(self.took) % len(self._sentences)]
            frame = sentence[self._next]
            self._next += 1
            if np.abs(frame).max() > LOUD:
                self._voiced_at = now
            if self._next == len(sentence):
                self._next = None
        self.udp.sendto(self._framing.write(PCMU.encode(frame)), target)

    def listen(self, now: float) -> None:
        """Take in what has come."""
        heard = False
        while True:
            try:
                heard |= is_voiced(PCMU.decode(parse(self.udp.recv(2048)).payload))
            except BlockingIOError:
                break
        if self._voiced_at is None or self._next is not None or self.done:
            return
        if heard or now - self._voiced_at > GIVES_UP_S:
            self.took.append((now - self._voiced_at) * 1000 if heard else None)
            self._voiced_at, self._speaks_at = None, now + LISTENS_S


def in_frames(samples: Samples) -> list[Samples]:
    """From the first loud frame to the last."""
    size = PCMU.rate // FRAMES_PER_SECOND
    frames = list(samples[: samples.size // size * size].reshape(-1, size))
    loud = [index for index, frame in enumerate(frames) if np.abs(frame).max() > LOUD]
    return frames[loud[0] : loud[-1] + 1]


def converse(parent: Connection, calls: int, turns: int) -> None:
    """The far ends of all calls, in real time. Runs in a process of its own."""
    sentences = [in_frames(one.samples()) for one in recordings(PEOPLE, ["orders"], "closed")]
    people = [
        Person(sentences[number % 5 :] + sentences[: number % 5], turns, 1 + 0.037 * number)
        for number in range(calls)
    ]
    parent.send([person.udp.getsockname() for person in people])
    target = parent.recv()
    begin, slot = time.monotonic(), 0
    while not all(person.done for person in people):
        time.sleep(max(0.0, begin + slot * FRAME_MS / 1000 / SLOTS - time.monotonic()))
        for person in people:
            person.listen(time.monotonic() - begin)
        for person in people[slot % SLOTS :: SLOTS]:
            person.tick(target, time.monotonic() - begin)
        slot += 1
    parent.send([took for person in people for took in person.took])


def main() -> None:
    """Print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 20, 100])
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)  # as the server does
    results = [asyncio.run(measure(calls, options.turns)) for calls in options.calls]
    if options.json:
        sys.stdout.write(json.dumps([asdict(result) for result in results], indent=2) + "\n")
        return
    row = "{:>6}{:>9}{:>12}{:>9}{:>9}{:>13}{:>9}\n"
    sys.stdout.write(
        row.format("calls", "answers", "unanswered", "p50 ms", "p95 ms", "% core/call", "MB/call")
    )
    for one in results:
        latency = f"{one.p50_ms:.0f}", f"{one.p95_ms:.0f}"
        cost = f"{one.cpu_percent_per_call:.2f}", f"{one.mb_per_call:.2f}"
        sys.stdout.write(row.format(one.calls, one.answers, one.unanswered, *latency, *cost))


if __name__ == "__main__":
    main()
