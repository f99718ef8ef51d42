"""Pipecat as its pipeline is by default, on a folder of cases.

    PYTHON -m bench.peers.run_pipecat FOLDER OUTCOMES

PYTHON is of an environment with `pipecat-ai`. Silero finds speech, Smart Turn v3 the end of the
turn, the default strategies decide. The transcript comes, as final, at once when it is due.
"""

import sys
from pathlib import Path

from bench.peers import simulated_time

LOOP = simulated_time.begin()

import asyncio
import time
from importlib.metadata import version

from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    StartFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.stt_latency import WHISPER_TTFS_P99
from pipecat.workers.runner import WorkerRunner

from bench.peers.exchange import (
    FRAME_MS,
    RATE,
    TRANSCRIPT_MS,
    Case,
    Outcome,
    frames,
    take_all,
)


class Transcriber(FrameProcessor):
    """Knows what was said, and says so a while after each stretch of speech."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            await self.push_frame(STTMetadataFrame("transcriber", WHISPER_TTFS_P99))
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            self.create_task(self._transcribe())

    async def _transcribe(self) -> None:
        await asyncio.sleep(TRANSCRIPT_MS / 1000)
        await self.push_frame(TranscriptionFrame(self._text, "", "", finalized=True))


class Interruptions(FrameProcessor):
    """Notes when the agent is silenced: nothing takes an interruption back."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, InterruptionFrame) and direction is FrameDirection.DOWNSTREAM:
            self.at.append(time.monotonic())


async def converse(folder: Path, case: Case) -> Outcome:
    """Take one case through a pipeline of its own."""
    user = LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    aggregators = LLMContextAggregatorPair(LLMContext(), user_params=user)
    interruptions = Interruptions()
    starts: list[float] = []
    ends: list[float] = []

    @aggregators.user().event_handler("on_user_turn_started")
    async def started(*_: object) -> None:
        starts.append(time.monotonic())

    @aggregators.user().event_handler("on_user_turn_stopped")
    async def stopped(*_: object) -> None:
        ends.append(time.monotonic())

    steps = [Transcriber(case.text or "yes"), aggregators.user(), interruptions]
    worker = PipelineWorker(
        Pipeline(steps),
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
    )
    ready = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def is_ready(*_: object) -> None:
        ready.set()

    begun = 0.0

    async def speak() -> None:
        nonlocal begun
        await ready.wait()
        begun = time.monotonic()
        for index, frame in enumerate(frames(folder, case)):
            await asyncio.sleep(begun + (index + 1) * FRAME_MS / 1000 - time.monotonic())
            await worker.queue_frame(InputAudioRawFrame(frame, RATE, 1))
        await asyncio.sleep(0.5)
        await worker.queue_frame(EndFrame())

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), speak())

    def ms(times: list[float]) -> tuple[int, ...]:
        return tuple(round((at - begun) * 1000) for at in times)

    silenced = ms(interruptions.at)
    agent = ((0, silenced[0] if silenced else case.length),)
    return Outcome(case.file, ms(starts), ms(ends), agent)


if __name__ == "__main__":
    logger.remove()
    framework = "Pipecat", version("pipecat-ai"), "Silero VAD, Smart Turn v3.2, default strategies"
    taking = take_all(framework, converse, Path(sys.argv[1]), Path(sys.argv[2]))
    LOOP.run_until_complete(taking)
