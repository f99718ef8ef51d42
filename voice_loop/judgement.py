"""What the person's words ask of the agent, by what it was saying when they came."""

from dataclasses import dataclass
from enum import Enum, auto

from voice_loop.phrases import Phrases, consists_of, plain_words
from voice_loop.playout import Speech
from voice_loop.ports import Transcript


class Verdict(Enum):
    """What the person's words ask of us."""

    NOTHING = auto()
    """No speech in it: noise, a cough."""
    BACKCHANNEL = auto()
    """They listen and say so; the agent may go on."""
    REPEAT = auto()
    """Speech recognition is not sure enough to act on it."""
    OPENING = auto()
    """They said hello; the opening is the answer."""
    ANSWER = auto()


@dataclass(frozen=True)
class Overlap:
    """What the agent was saying when the person began to speak."""

    speech: Speech
    played: int
    """Its frames that had left by then."""
    yielded: bool
    """Whether it fell silent, by the sound of what they said."""


def judge(
    transcript: Transcript, overlap: Overlap | None, lists: Phrases, min_confidence: float
) -> Verdict:
    """Judge words, once the agent has opened the call.

    Args:
        transcript: what was heard.
        overlap: with what the agent was saying; None where it was silent.
        lists: of the call's language.
        min_confidence: a transcript below it is not acted on.
    """
    words = plain_words(transcript.text)
    if not words:
        return Verdict.NOTHING
    if overlap is not None and consists_of(words, _no_answers_to(overlap, lists)):
        return Verdict.BACKCHANNEL
    if transcript.confidence >= min_confidence:
        return Verdict.ANSWER
    if overlap is None or overlap.yielded or lists.objects(words):
        return Verdict.REPEAT
    # Neither its sound nor its words are known for an interruption.
    return Verdict.BACKCHANNEL


def _no_answers_to(overlap: Overlap, lists: Phrases) -> frozenset[str]:
    """Lines that, said into the agent's speech, let it go on."""
    speech = overlap.speech
    if speech.hang_up_after:
        return lists.backchannels | lists.farewells
    if speech.fills_silence:
        return lists.backchannels
    if not speech.in_history or speech.is_answered_at(overlap.played):
        return frozenset()
    return lists.backchannels | lists.greetings if speech.opens else lists.backchannels
