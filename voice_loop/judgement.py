"""What the person's words ask of the agent, by what it was saying when they came."""

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


def judge(
    transcript: Transcript, speech: Speech | None, lists: Phrases, min_confidence: float
) -> Verdict:
    """Judge words, once the agent has opened the call.

    Args:
        transcript: what was heard.
        speech: the agent's, that has the floor.
        lists: of the call's language.
        min_confidence: a transcript below it is not acted on.
    """
    words = plain_words(transcript.text)
    if not words:
        return Verdict.NOTHING
    if speech is not None and consists_of(words, _no_answers_to(speech, lists)):
        return Verdict.BACKCHANNEL
    return Verdict.REPEAT if transcript.confidence < min_confidence else Verdict.ANSWER


def _no_answers_to(speech: Speech, lists: Phrases) -> frozenset[str]:
    """Lines that, said into this speech, let it go on."""
    if speech.hang_up_after:
        return lists.backchannels | lists.farewells
    if speech.fills_silence:
        return lists.backchannels
    if speech.nearly_over or not speech.in_history:
        # What is said into the end of a question answers it.
        return frozenset()
    return lists.backchannels | lists.greetings if speech.opens else lists.backchannels
