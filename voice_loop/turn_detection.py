"""When a pause ends the person's turn: by all that is known, weighed against each other.

How the turn sounds where it pauses (`voice_loop.ports.TurnEndModel`), its words, what the agent had
asked, and how long this person's own pauses are: each adds to the odds that the turn is over, and
the odds tell how long a silence ends it. Nothing here waits for any of it: what is missing adds
nothing.

Sans-IO: the `floor` tells when the person pauses and goes on, and asks in every frame of a pause.
"""

import math
from collections import deque
from collections.abc import Mapping
from statistics import fmean, median
from typing import Final

import numpy as np

from voice_loop.answering.phrases import sounds_recorded
from voice_loop.dictation import Dictation, dictation
from voice_loop.expectations import Expected, expected_after
from voice_loop.phrases import plain_words
from voice_loop.ports import Transcript
from voice_loop.wording import Wording, wording

#: How long people's pauses within turns last, ms, and how rare it is that they last longer: the
#: negative logarithm of their share.
_PAUSES_MS: Final = (200, 400, 600, 800, 980, 1420)
_RARITY: Final = tuple(-math.log(share) for share in (1.0, 0.42, 0.21, 0.14, 0.10, 0.05))
#: No turn is over sooner.
SHORTEST_MS: Final = 180

#: The evidence in log-odds, by a regression over people's pauses and ends where there is a sound.
_SOUND_WEIGHT: Final = 0.9
#: A model is never believed more than this.
_SOUND_LIMIT: Final = 3.0
_BY_SOUND_AND_WORDS: Final[Mapping[Wording | None, float]] = {
    None: -0.1,
    Wording.TRAILING: -1.5,
    Wording.UNFINISHED: -0.7,
    Wording.OPEN: -0.4,
    Wording.PLAIN: 0.0,
    Wording.WHOLE: 0.0,
    Wording.QUESTION: 0.3,
    Wording.YES_OR_NO: 0.1,
}
_BY_WORDS_ALONE: Final[Mapping[Wording | None, float]] = {
    None: 0.0,
    Wording.TRAILING: -3.0,
    Wording.UNFINISHED: -2.5,
    Wording.OPEN: -0.7,
    Wording.PLAIN: 0.6,
    Wording.WHOLE: 0.8,
    Wording.QUESTION: 1.2,
    Wording.YES_OR_NO: 0.8,
}
#: Whoever may say anything has said the more of it the longer they have spoken: the weight of the
#: logarithm of that, in proportion to what is usual; within bounds, in seconds.
_LENGTH_WEIGHT: Final = 0.9
_USUAL_LENGTH_S: Final = 2.7
_LENGTHS_S: Final = (0.5, 4.0)
_BY_QUESTION: Final = {Expected.STORY: -0.3, Expected.ADDRESS: -1.0}
#: A yes or no to a question of that kind.
_ANSWERED: Final = 1.2
#: Words that take longer have no say in whether the turn is over.
_LATE_WORDS_MS: Final = 800
#: Pauses between the groups of a number last up to 900 ms, to which soft ends and beginnings add;
#: so do those of a machine's greeting. Where the longest pause is longer, these may be, too.
_GROUPS_MS: Final = 1250
_USUAL_LONGEST_MS: Final = 1500
#: A number that is complete as far as one knows, and one that the agent had asked for.
_COMPLETE_MS: Final = 600
_COMPLETE_AS_ASKED_MS: Final = 350
#: It may seem so one digit too soon, where one is heard twice: the next would come within the usual
#: pause of this person's, so much longer at most.
_NEXT_DIGIT: Final = 1.25
_NEXT_DIGIT_MS: Final = 150

#: Pauses within turns that say something of this person's pace: how long they are, and how many.
_TELLING_MS: Final = 200
_TELLING: Final = 3
_REMEMBERED: Final = 9
#: What most people's last.
_USUAL_PAUSE_MS: Final = 350
_PACES: Final = (0.7, 1.6)


class TurnDetector:
    """Judges the pauses of one person."""

    def __init__(
        self,
        end_of_turn_ms: int,
        longest_pause_ms: int,
        language: str,
        country: str | None = None,
        min_confidence: float = 0.0,
    ) -> None:
        """
        Args:
            end_of_turn_ms: the silence that ends a turn of which nothing else is known.
            longest_pause_ms: a longer silence ends every turn.
            language: of the call, a BCP 47 tag.
            country: where the person is, ISO 3166-1 alpha-2.
            min_confidence: words below it are not acted on.
        """
        # A turn ends once a pause within one would be rarer than its odds, by so much; even odds
        # suffice after `end_of_turn_ms`.
        self._patience = float(np.interp(end_of_turn_ms, _PAUSES_MS, _RARITY))
        neutral_ms = float(np.interp(self._patience, _RARITY, _PAUSES_MS))
        self._scale = end_of_turn_ms / neutral_ms
        self._shortest_ms = min(SHORTEST_MS, end_of_turn_ms)
        self._longest_ms = max(longest_pause_ms, end_of_turn_ms)
        self._groups_ms = _GROUPS_MS * max(1.0, self._longest_ms / _USUAL_LONGEST_MS)
        self._language = language
        self._country = country
        self._min_confidence = min_confidence
        self._pauses: deque[int] = deque(maxlen=_REMEMBERED)
        self._punctuated = False
        self._expected = Expected.ANYTHING
        self.wait_ms = float(end_of_turn_ms)
        """The silence that ends the turn, by what is known of this pause."""
        self._wording: Wording | None = None
        self._dictation = Dictation.NONE
        self._recorded = False
        self._interrupted = False
        self._understood = True
        self._sounds: list[float] = []
        """Log-odds, one for each time that the sound of this pause was judged."""
        self._words_due = False
        self._spoken_s = 1.0

    # What is known ------------------------------------------------------------------------

    def asked(self, said: str, *, interrupted: bool = False) -> None:
        """The person begins to answer these words of the agent's; empty where there were none.

        Args:
            said: what was heard of them.
            interrupted: the agent is still saying them.
        """
        self._expected = expected_after(said, self._language)
        # Whoever is asked for a number begins with it, until their words say that they do not.
        dictated = self._expected.is_dictated
        self._dictation = Dictation.UNDER_WAY if dictated else Dictation.NONE
        self._interrupted = interrupted

    def paused(self, spoken_ms: int) -> None:
        """The person pauses after so long a turn; nothing else is known of this pause yet.

        What was being dictated before is dictated still, until the words tell otherwise.
        """
        self._spoken_s = spoken_ms / 1000
        self._wording, self._recorded, self._understood = None, False, True
        if self._dictation is Dictation.COMPLETE:
            self._dictation = Dictation.UNDER_WAY
        self._sounds, self._words_due = [], False
        self._weigh()

    def await_words(self) -> None:
        """The words up to this pause are on their way, and have their say."""
        self._words_due = True

    def transcribed(self, transcript: Transcript) -> None:
        """These are the words of the turn up to this pause."""
        text = transcript.text
        self._words_due = False
        if not plain_words(text):
            return
        sure = transcript.confidence >= self._min_confidence
        self._understood = sure or self._interrupted
        self._punctuated = self._punctuated or any(sign in text for sign in ".,?!")
        self._wording = wording(text, self._language, punctuated=self._punctuated)
        self._recorded = sounds_recorded(text)
        self._dictation = dictation(text, self._expected, self._language, self._country)
        self._weigh()

    def heard_end(self, probability: float) -> None:
        """So probable it is by the sound of this pause that the turn is over, 0 to 1."""
        self._sounds.append(_log_odds_of(probability))
        self._weigh()

    def went_on(self, silent_ms: int) -> None:
        """The person has gone on after such a pause."""
        if _TELLING_MS <= silent_ms <= self._longest_ms:
            self._pauses.append(silent_ms)

    # What follows -------------------------------------------------------------------------

    def turn_over(self, silent_ms: int) -> bool:
        """Whether the pause ends the turn; asked once per frame of it.

        Args:
            silent_ms: since the last frame with speech.
        """
        if silent_ms >= self._longest_ms:
            return True
        # To wait for words that are on their way costs nothing: without them there is no answer.
        words_due = self._words_due and silent_ms < _LATE_WORDS_MS
        return silent_ms >= self.wait_ms and not words_due

    @property
    def evidence(self) -> Mapping[str, object]:
        """What is known of the latest pause, to be told; no words."""
        return {
            "wait_ms": round(self.wait_ms),
            "sound_log_odds": [round(odds, 3) for odds in self._sounds],
            "wording": None if self._wording is None else self._wording.name.lower(),
            "dictation": self._dictation.name.lower(),
            "expected": self._expected.name.lower(),
            "understood": self._understood,
            "words_due": self._words_due,
            "usual_pause_ms": self._usual_pause_ms,
        }

    @property
    def _pace(self) -> float:
        """How long this person's pauses are, in proportion to most people's."""
        if (usual_ms := self._usual_pause_ms) is None:
            return 1.0
        least, most = _PACES
        return min(most, max(least, usual_ms / _USUAL_PAUSE_MS))

    @property
    def _usual_pause_ms(self) -> float | None:
        """Of this person within turns; None while few are known."""
        return median(self._pauses) if len(self._pauses) >= _TELLING else None

    def _weigh(self) -> None:
        rarity = self._patience - self._log_odds()
        wait_ms = float(np.interp(rarity, _RARITY, _PAUSES_MS))
        if self._dictation is Dictation.COMPLETE:
            wait_ms = _COMPLETE_AS_ASKED_MS if self._expected.is_dictated else _COMPLETE_MS
        wait_ms *= self._scale * self._pace
        if self._dictation is Dictation.COMPLETE and (usual_ms := self._usual_pause_ms) is not None:
            wait_ms = max(wait_ms, _NEXT_DIGIT * usual_ms + _NEXT_DIGIT_MS)
        # What more is said may tell what was not understood: nobody is asked in a hurry.
        if self._dictation is Dictation.UNDER_WAY or self._recorded or not self._understood:
            wait_ms = max(wait_ms, self._groups_ms)
        self.wait_ms = min(self._longest_ms, max(self._shortest_ms, wait_ms))

    def _log_odds(self) -> float:
        anything = self._expected in (Expected.ANYTHING, Expected.STORY)
        if not self._sounds:
            odds = _BY_WORDS_ALONE[self._wording]
        else:
            # In noise, all moments of the pause together know better than the latest alone.
            odds = _BY_SOUND_AND_WORDS[self._wording] + _SOUND_WEIGHT * fmean(self._sounds)
            if anything and self._wording is not Wording.YES_OR_NO:
                least, most = _LENGTHS_S
                odds += _LENGTH_WEIGHT * math.log(
                    min(most, max(least, self._spoken_s)) / _USUAL_LENGTH_S
                )
        if self._wording is Wording.YES_OR_NO and self._expected is Expected.YES_OR_NO:
            odds += _ANSWERED
        return odds + _BY_QUESTION.get(self._expected, 0.0)


def _log_odds_of(probability: float) -> float:
    least = 1 / (1 + math.exp(_SOUND_LIMIT))
    bounded = min(1 - least, max(least, probability))
    return math.log(bounded / (1 - bounded))
