"""What the voice loop needs of the world: a line, and engines.

`pbx/` and `models/` implement these; the composition root brings them together.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from voice_loop.audio import Samples
from voice_loop.prompts import Message
from voice_loop.tools import ToolSpec


class EngineError(Exception):
    """An engine failed or did not answer in time; the message says which and how to mend it."""


class ReplyTooLong(EngineError):
    """The language model has no room for the question and its whole answer."""


class AudioPeer(Protocol):
    """Whoever is at our end of a media leg. Called from the media tick: must not block."""

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        """Trade one 20 ms frame.

        Args:
            heard: what the far end said, one frame at the line's rate (silence or concealment
                where a packet is missing).
            arrived_at: `time.monotonic()` seconds when its packet reached our socket; for a
                missing packet, `now`.
            now: `time.monotonic()` seconds of this tick; the returned frame is sent at once.

        Returns:
            One frame at the line's rate, or None for silence.
        """
        ...


@runtime_checkable
class ForewarnedPeer(AudioPeer, Protocol):
    """One that has work to do on what it hears which is cheaper for all lines at once."""

    def expect(self, heard: Samples) -> None:
        """Take the frame that `exchange` brings in this tick; every line's comes before that."""
        ...


@runtime_checkable
class TimedPeer(AudioPeer, Protocol):
    """An audio peer that keeps count of the time."""

    def miss(self, ticks: int) -> None:
        """So many ticks before the next `exchange` did not take place: a stall of ours cost
        them."""
        ...


class Line(Protocol):
    """An answered attempt as the voice loop sees it. Frames come through `AudioPeer`."""

    @property
    def id(self) -> str:
        """The channel id."""
        ...

    @property
    def rate(self) -> int:
        """Samples per second of its frames (8000 or 16000)."""
        ...

    async def hang_up(self) -> None:
        """End the call; does nothing on a call that is over."""
        ...

    async def send_digits(self, digits: str) -> None:
        """Send DTMF (0-9, A-D, *, #)."""
        ...


@dataclass(frozen=True)
class Transcript:
    """What speech recognition made of one utterance."""

    text: str
    confidence: float
    """Probability-like mean confidence per token, 0 to 1 (exp of the average log-probability), of
    these words however written, among others as likely."""


class SpeechToText(Protocol):
    """A loaded speech recogniser, shared by all calls."""

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        """Transcribe one utterance; empty text when there is no speech in it.

        Cancelling the awaiting task gives the result up. Raises EngineError.
        """
        ...


class LanguageModel(Protocol):
    """A loaded chat model, shared by all calls."""

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
        temperature: float = 0.0,
        cache_key: str | None = None,
    ) -> AsyncGenerator[str, None]:
        """Stream the reply's text, piece by piece. Closing the generator cancels it.

        Args:
            messages: the chat so far.
            max_tokens: upper bound of the reply.
            schema: a JSON Schema that the reply must satisfy (constrained decoding).
            tools: what the reply may call. A call is part of the text, whatever the engine:
                `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, its name one of these and
                its arguments matching that tool's parameters (constrained decoding).
            temperature: of sampling; 0 is greedy.
            cache_key: calls with the same key share a growing prompt prefix; a hint.

        Raises EngineError while iterating; ReplyTooLong where the chat and the reply do not fit, or
        a reply with a schema had to be cut off.
        """
        ...

    def release(self, cache_key: str) -> None:
        """Forget what is kept for `cache_key`; the call is over."""
        ...


class TextToSpeech(Protocol):
    """A loaded voice, shared by all calls."""

    @property
    def rate(self) -> int:
        """Samples per second of what it speaks."""
        ...

    def stream(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:
        """Speak one clause: chunks at `rate`, as they are made. Closing cancels.

        Args:
            text: what to say.
            speed: speaking rate; 1.5 is half as fast again.

        Raises EngineError while iterating.
        """
        ...


@runtime_checkable
class VaryingVoice(TextToSpeech, Protocol):
    """A voice that speaks the same words a little otherwise each time."""

    def steadied(self, stability: float) -> TextToSpeech:
        """The same voice, as steady as that: 0.5 is its own way, 1 never varies, 0 does so twice as
        much."""
        ...


class SpeechDetector(Protocol):
    """Voice activity detection of one call."""

    def is_speech(self, frame: Samples) -> bool:
        """Whether one 20 ms frame at the line's rate holds speech."""
        ...


@runtime_checkable
class NeuralDetector(SpeechDetector, Protocol):
    """One that judges the frames of many calls at once, and knows what it is sure of."""

    def expect(self, frame: Samples) -> None:
        """Take the frame that `is_speech` is asked about next; the first question asked judges
        every call's."""
        ...

    @property
    def convinced(self) -> bool:
        """Whether what it took for speech lately is enough to say that somebody began to speak."""
        ...


class TurnEndModel(Protocol):
    """A loaded model of how people's turns sound where they end, shared by all calls."""

    async def end_probability(self, speech: Samples, rate: int) -> float:
        """How probable it is that the turn ends here, 0 to 1.

        Args:
            speech: the latest seconds of the person's channel up to now, the pause so far included.
            rate: of `speech`, Hz.

        Raises EngineError.
        """
        ...


class OnsetModel(Protocol):
    """Tells by its sound whether speech into the agent's words takes the floor; shared by all
    calls. Called in the media tick: must not block, and has half a millisecond."""

    def takes_floor(self, speech: Samples, rate: int) -> float:
        """The probability that the speaker wants the floor and does not just listen or cough.

        Args:
            speech: from `ONSET_PADDING_MS` before its first sound until now, at most
                `ONSET_LIMIT_MS`.
            rate: of these samples, Hz.
        """
        ...


#: What an `OnsetModel` is given of the time before the speech, of the speech at least, and in all.
ONSET_PADDING_MS: Final = 60
ONSET_LEAST_MS: Final = 200
ONSET_LIMIT_MS: Final = 860


@dataclass(frozen=True)
class Engines:
    """The loaded engines that one call speaks through."""

    stt: SpeechToText
    llm: LanguageModel
    tts: TextToSpeech
    new_detector: Callable[[int], SpeechDetector]
    """Makes one call's speech detector; the argument is the line's rate in Hz."""
    min_confidence: float = 0.4
    """A transcript below this is asked for again; a property of the recogniser's weights."""
    turn_end: TurnEndModel | None = None
    """Hears where turns end; without it the rest of the evidence tells
    (`voice_loop.turn_detection`)."""
    onset: OnsetModel | None = None
    """Decides on interruptions by their sound. None: their length and their words do."""
