"""Tells who answered, from the first frame on and again whenever something shows it to be another.

By cadence: a person says little and waits, a machine runs on. By tones: beeps, ringing, busy, fax.
By words, as far as they are transcribed: what machines say. What somebody says who runs on is not
to be answered before it is known who that is, or before they have paused for long.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

from voice_loop.answering.phrases import (
    Kind,
    begins_with_aim,
    count_of,
    kinds_of,
    place_of,
    plain,
)
from voice_loop.answering.tones import Heard, ToneWatch
from voice_loop.audio import FRAME_MS, Samples, level_dbfs

Who = Literal[
    "unknown",
    "human",
    "voicemail",
    "menu",
    "screening",
    "hold_queue",
    "unavailable",
    "ringing",
    "fax",
    "silence",
]
#: Who they are is known, and that nobody listens.
MACHINES: Final[frozenset[Who]] = frozenset(
    {"voicemail", "menu", "screening", "hold_queue", "unavailable", "ringing", "fax"}
)


@dataclass(frozen=True)
class AnswerConfig:
    """Thresholds of who answered, all in ms."""

    short_ms: int = 1_800
    """First words up to this length, with a pause after them, are a person's."""
    human_pause_ms: int = 400
    """That pause, after a word or two; after more, half as long again."""
    pause_ms: int = 1_000
    """Who runs on and then is silent for so long without a machine's words waits for an answer."""
    long_ms: int = 7_000
    """Speech at the answer, which no recogniser understands, is a machine's once it is so long."""
    closing_ms: int = 280
    """A message begins after this silence where its invitation was the last that was said,"""
    greeting_pause_ms: int = 1_500
    """after this one where something else was,"""
    tone_wait_ms: int = 3_000
    """and after this one where a tone was announced that does not come."""
    silence_ms: int = 10_000
    """With nothing heard for so long, nobody is there."""
    screening_ms: int = 45_000
    """So long the person is waited for whom a screener asks."""
    ringing_ms: int = 60_000
    """So long a call is left to ring that was answered by something else."""
    ask_model: bool = False
    """Whether the language model is asked who says words that are nobody's in particular."""
    menu_repeats: int = 3
    """A menu that is heard so often is a dead end."""


@dataclass(frozen=True)
class Answerer:
    """A verdict."""

    who: Who
    evidence: tuple[str, ...] = ()
    """What speaks for it, in a few words each; none of them are the line's."""
    at_ms: int = 0
    """Since the answer, in audio time."""
    full: bool = False
    """Of a voicemail: it takes no message."""


@dataclass(frozen=True)
class Beep:
    """A tone was heard as answering machines have it, wherever that was."""


@dataclass(frozen=True)
class GreetingOver:
    """A voicemail or a screener has said what it says, and listens."""

    beeped: bool


@dataclass(frozen=True)
class GreetingGoesOn:
    """It has not, after all."""


AnswerEvent = Answerer | Beep | GreetingOver | GreetingGoesOn

#: Speech that makes a greeting before a beep, pauses not counted; the beep comes so soon after its
#: last word, and so soon after the answer.
_GREETING_FRAMES: Final = 1500 // FRAME_MS
_AFTER_FRAMES: Final = 5_000 // FRAME_MS
_WITHIN_FRAMES: Final = 90_000 // FRAME_MS
#: Busy tones and announcements that are repeated are not heard to their end.
_ANNOUNCEMENT_FRAMES: Final = 20_000 // FRAME_MS
#: A key that is pressed may be heard for so long around the event that tells of it.
_KEY_FRAMES: Final = 500 // FRAME_MS
#: Silence of this length parts what is said at the answer into two.
_STRETCH_FRAMES: Final = 1_000 // FRAME_MS
#: After one of this length, ms, somebody else may speak.
_NEW_WORDS_MS: Final = 500
#: So do the agent's words, once there have been so many of them in it.
_AGENT_FRAMES: Final = 400 // FRAME_MS
#: So much speech within a second is no click and no cough.
_SPEECH_FRAMES: Final = 300 // FRAME_MS
#: So much is a word.
_WORD_FRAMES: Final = 120 // FRAME_MS
#: Sound of a few frequencies that is no speech, for so long and so loud, is music, if other frames
#: are fewer than twice as many.
_MUSIC_FRAMES: Final = 3_000 // FRAME_MS
_MUSIC_DBFS: Final = -50.0
#: "Hello?", and not yet the first line of a greeting, which pauses soon, too.
_WORD_OR_TWO_MS: Final = 900
#: What people say of somebody who is not there is shorter than a greeting.
_SECRETARY_MS: Final = 5_000
#: What somebody says to the agent who cannot talk now, ms.
_REMARK_MS: Final = 2_500
#: So many of the latest turns are looked at together.
_REMEMBERED: Final = 6
#: To somebody who said hello the agent has spoken for so long: they converse.
_TALKED_FRAMES: Final = 1_000 // FRAME_MS


@dataclass
class _Stretch:
    """What is said with no long pause in it."""

    onset: int
    last: int
    speech: int = 1
    into_agent: bool = False

    @property
    def ms(self) -> int:
        return (self.last + 1 - self.onset) * FRAME_MS


@dataclass
class _Words:
    """What was transcribed so far, as plain words."""

    turns: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    running: str = ""
    before_pause: str = ""
    """What was running when the latest longer pause began."""
    passed: str = ""
    """What the turn under way began with, from somebody else."""
    sure: bool = False

    @property
    def text(self) -> str:
        return " ".join([*self.turns, self.running]).strip()

    @property
    def since_pause(self) -> str:
        """The words that were added after that pause, as plain words."""
        return self.running.removeprefix(self.before_pause).strip()

    def pass_over(self) -> None:
        """Somebody else speaks since that pause."""
        self.turns.clear()
        self.passed = f"{self.passed} {self.before_pause}".strip()
        self.running, self.before_pause = self.since_pause, ""


class AnswerWatch:
    """Watches one call from the answer on."""

    def __init__(
        self, rate: int, config: AnswerConfig, greetings: frozenset[str] = frozenset()
    ) -> None:
        """
        Args:
            rate: of the frames, Hz.
            config: thresholds.
            greetings: with which people answer in the call's language, as plain words.
        """
        self.answerer = Answerer("unknown")
        """The latest verdict."""
        self._config = config
        self._greetings = frozenset(map(plain, greetings))
        self._tones = ToneWatch(rate)
        self._frame = -1
        self._keys_until = -1
        self._stretch: _Stretch | None = None
        self._speech = 0
        self._recent = 0
        self._agent = 0
        """Frames in which the agent spoke since somebody else did."""
        self._agent_spoke = 0
        self._talked = False
        self._music = 0
        self._sounded = -1
        """The latest frame of a tone."""
        self._words = _Words()
        self._invited = self._announced = self._closing = False
        self._over_at: int | None = None
        """The frame in which it was told that the greeting is over."""
        self._over_onset = -1
        """Where what was said before that began."""
        self._beeped = False
        self._settled = False

    @property
    def waits(self) -> bool:
        """Whether what was said last is not to be answered yet: more of it is to come, or it is not
        known who says it."""
        if self._settled or self._stretch is None:
            return False
        silent = self._silent_ms
        if self.answerer.who in {"menu", "hold_queue"}:
            return silent < self._config.pause_ms
        if self.answerer.who in MACHINES or self.answerer.who == "human":
            return False
        if self._stretch.ms > self._config.short_ms:
            # Who has heard the opening and says nothing that machines say answers it, at length.
            answers = self._agent_spoke >= _TALKED_FRAMES and self._understood
            return not answers and silent < self._config.pause_ms
        # That the opening is not said into a pause of a greeting; it may have been said before.
        return self._agent_spoke < _AGENT_FRAMES and silent < self._human_pause_ms

    @property
    def suspicious(self) -> bool:
        """Whether a machine is known or supposed to be there."""
        runs_on = self._stretch is not None and self._stretch.ms > self._config.short_ms
        supposed = runs_on and self.waits
        return not self._settled and (self.answerer.who in MACHINES or supposed)

    @property
    def unsure(self) -> bool:
        """Whether somebody runs on in words that are nobody's in particular."""
        stretch = self._stretch
        return (
            self.answerer.who == "unknown"
            and stretch is not None
            and stretch.ms > self._config.short_ms
            and self._understood
            and not kinds_of(self._words.text)
        )

    def judged(self, who: Who) -> Answerer | None:
        """Take what somebody else makes of the words; the verdict, if that changes it."""
        undecided = self.answerer.who in {"unknown", "human"} and not self._talked
        if self._settled or who == "unknown" or not undecided:
            return None
        before = self.answerer
        self._decide(who, "language model")
        return None if self.answerer is before else self.answerer

    @property
    def announced(self) -> bool:
        """Whether a tone was announced, after which one may speak."""
        return self._announced

    def announce(self) -> None:
        """A tone was announced before the answer."""
        self._announced = True

    def press(self) -> None:
        """The far end pressed a key."""
        self._keys_until = self._frame + _KEY_FRAMES

    def conversed(self) -> None:
        """Somebody has let the agent finish and then answered, more than once: machines do not."""
        self._settled = True
        if self.answerer.who != "human":
            self._decide("human", "answered the agent")

    def listen(self, heard: Samples, *, is_speech: bool, agent_speaks: bool) -> list[AnswerEvent]:
        """Take one frame, with the speech detector's verdict on it."""
        self._frame += 1
        if self._settled or (self._frame > _WITHIN_FRAMES and self.answerer.who not in MACHINES):
            return []
        events: list[AnswerEvent] = []
        tone = self._tones.push(heard)
        if self._frame <= self._keys_until:
            tone = None
        speech = is_speech and not self._tones.sounding
        self._track(heard, speech=speech, agent_speaks=agent_speaks)
        before = self.answerer
        if tone is not None:
            events += self._heard_tone(tone)
        else:
            self._by_cadence()
        if self.answerer is not before:
            events.insert(0, self.answerer)
        return events + self._greeting()

    def words(self, text: str, *, sure: bool, whole: bool) -> Answerer | None:
        """Take the words of a turn so far; the verdict, if they change it.

        Args:
            text: as transcribed.
            sure: whether the recogniser is.
            whole: whether the turn is over.
        """
        words, before = self._words, self.answerer
        text = plain(text).removeprefix(words.passed).strip()
        words.running, words.sure = text, sure
        if not self._settled:
            self._by_words(text, sure=sure, whole=whole)
        if whole:
            words.turns.append(text)
            words.running = words.before_pause = words.passed = ""
        return None if self.answerer is before else self.answerer

    # What it is made of -----------------------------------------------------------------

    @property
    def _silent_ms(self) -> int:
        return 0 if self._stretch is None else (self._frame - self._stretch.last) * FRAME_MS

    @property
    def _understood(self) -> bool:
        return self._words.sure and self._words.text != ""

    @property
    def _human_pause_ms(self) -> float:
        pause_ms, stretch = self._config.human_pause_ms, self._stretch
        brief = stretch is None or stretch.ms <= _WORD_OR_TWO_MS
        return pause_ms if brief else 1.5 * pause_ms

    def _track(self, heard: Samples, *, speech: bool, agent_speaks: bool) -> None:
        self._recent = self._recent + 1 if speech else max(0, self._recent - 1)
        if self._tones.sounding:
            self._sounded = self._frame
        stretch = self._stretch
        if speech:
            self._speech += 1
            gap = 0 if stretch is None else self._frame - stretch.last
            if stretch is None or gap > _STRETCH_FRAMES or self._agent >= _AGENT_FRAMES:
                self._stretch = _Stretch(self._frame, self._frame, into_agent=agent_speaks)
            else:
                stretch.last = self._frame
                stretch.speech += 1
            self._agent = 0
        elif agent_speaks:
            self._agent += 1
            self._agent_spoke += 1
            if self.answerer.who == "human" and self._agent >= _TALKED_FRAMES:
                self._talked = True
        if self._silent_ms == _NEW_WORDS_MS:
            self._words.before_pause = self._words.running
        unsure = self.answerer.who in {"unknown", "silence"} and not speech
        loud = unsure and not self._tones.sounding and level_dbfs(heard) > _MUSIC_DBFS
        music = loud and self._tones.is_tonal()
        self._music = self._music + 2 if music else max(0, self._music - 1)

    def _decide(self, who: Who, *evidence: str, full: bool = False) -> None:
        if (who, full) != (self.answerer.who, self.answerer.full):
            self.answerer = Answerer(who, evidence, (self._frame + 1) * FRAME_MS, full)
            self._over_at = None

    def _heard_tone(self, tone: Heard) -> list[AnswerEvent]:
        who = self.answerer.who
        match tone:
            case Heard.FAX:
                self._decide("fax", "fax tone")
            case Heard.INFORMATION:
                self._decide("unavailable", "special information tones")
            case Heard.BUSY:
                self._decide("unavailable", "busy tone")
            case Heard.RINGING if who not in {"voicemail", "unavailable", "screening"}:
                self._decide("ringing", "ringing tone")
            case _:
                return self._heard_beep(sure=tone is not Heard.SHORT_BEEP)
        return []

    def _heard_beep(self, *, sure: bool) -> list[AnswerEvent]:
        stretch = self._stretch
        soon = stretch is not None and self._frame - stretch.last <= _AFTER_FRAMES
        greeted = self._speech >= _GREETING_FRAMES and soon
        announced = self._invited or self._announced
        if self.answerer.who in {"menu", "hold_queue", "unavailable"} and not announced:
            return []
        if self.answerer.who not in {"voicemail", "screening"} and (
            announced or (greeted and sure)
        ):
            self._decide("voicemail", "greeting", "beep")
        if self.answerer.who in {"voicemail", "screening"} and (sure or announced):
            self._over_at, self._beeped = self._frame, True
            self._over_onset = -1 if stretch is None else stretch.onset
            return [GreetingOver(beeped=True)]
        return [Beep()] if sure else []

    def _by_cadence(self) -> None:
        config, stretch, who = self._config, self._stretch, self.answerer.who
        if who in {"unknown", "silence"} and self._music >= 2 * _MUSIC_FRAMES:
            self._decide("hold_queue", "music")
        elif stretch is None:
            if who == "unknown" and self._frame * FRAME_MS >= config.silence_ms:
                self._decide("silence", "nothing heard")
        elif who == "ringing" and self._recent >= _SPEECH_FRAMES:
            self._decide("unknown", "a voice after ringing")
        elif who in {"unknown", "silence"}:
            self._by_length(stretch)
        elif who == "human" and self._runs_on(stretch):
            self._decide("unknown", "runs on")

    def _runs_on(self, stretch: _Stretch) -> bool:
        """Whether the pause after which somebody was taken for a person was one in a greeting."""
        first, speaks = stretch.speech == self._speech, stretch.last == self._frame
        return first and speaks and stretch.ms > self._config.short_ms

    def _by_length(self, stretch: _Stretch) -> None:
        config = self._config
        if stretch.ms <= config.short_ms:
            if self._silent_ms >= self._human_pause_ms and stretch.speech >= _WORD_FRAMES:
                self._decide("human", "short first words")
        elif stretch.ms >= config.long_ms and not self._understood and not stretch.into_agent:
            self._decide("voicemail", f"runs on for {stretch.ms} ms")
        elif self._silent_ms >= config.pause_ms:
            self._decide("human", f"waits after {stretch.ms} ms")

    def _by_words(self, text: str, *, sure: bool, whole: bool) -> None:
        kinds, who = kinds_of(text), self.answerer.who
        everything = kinds_of(self._words.text) if who not in MACHINES else kinds
        self._announced = self._announced or "tone" in kinds
        if kinds & {"invite", "tone"}:
            self._invited = True
        found = _who_says(everything, self._words.text if who not in MACHINES else text)
        if who in {"voicemail", "unavailable"} and sure and self._picked_up():
            self._words.pass_over()
            self._invited = self._announced = self._closing = False
            self._decide("human", "picked up")
        elif found is not None:
            self._found(found, everything)
        elif who in MACHINES - {"voicemail", "unavailable", "fax"} and whole and sure:
            if plain(text) and not kinds - {"person"}:
                self._words.turns.clear()  # they were somebody else's
                self._decide("human", "no announcement")
        elif who in {"unknown", "silence"} and sure and "person" in kinds:
            self._decide("human", "asks as people do")
        asks = self.answerer.who == "screening" and "screening" in kinds
        if asks and self._stretch is not None and self._stretch.onset != self._over_onset:
            self._over_at = None  # again
        if self.answerer.who in {"voicemail", "screening"}:
            self._closing = bool(kinds & {"invite", "screening"}) and not self._announced

    def _picked_up(self) -> bool:
        """Whether somebody has come to the telephone while the machine was talking."""
        said = self._words.since_pause
        return (
            self._over_at is None
            and bool(self._words.before_pause or self._words.turns)
            and (said in self._greetings or kinds_of(said) == {"person"})
        )

    def _found(self, who: Who, kinds: frozenset[Kind]) -> None:
        """A machine of that kind has these phrases."""
        before = self.answerer.who
        weak = not kinds & {"invite", "tone", "full", "menu", "screening"}
        short = self._stretch is not None and self._stretch.ms < _REMARK_MS
        if weak and short and self._agent_spoke >= _TALKED_FRAMES:
            return  # so people put off who has just called them
        if self._talked and who in {"voicemail", "screening", "unavailable"}:
            # A secretary offers to take a message, too, and asks who calls.
            runs_on = self._stretch is not None and self._stretch.ms >= _SECRETARY_MS
            if "tone" not in kinds and not (runs_on and "invite" in kinds):
                return
        if before == "voicemail" and who not in {"voicemail", "screening"} and self._invited:
            return  # what follows an invitation tells what one may press then
        if before == "screening" and who == "hold_queue":
            return  # the person is being asked
        self._decide(
            who, *(f"{kind} phrase" for kind in sorted(kinds - {"person"})), full="full" in kinds
        )

    def _greeting(self) -> list[AnswerEvent]:
        """Whether a voicemail, a screener or an announcement has finished."""
        config, stretch, who = self._config, self._stretch, self.answerer.who
        if who not in {"voicemail", "screening", "unavailable"}:
            return []
        known = self.answerer.at_ms // FRAME_MS
        last, onset = (known, -1) if stretch is None else (stretch.last, stretch.onset)
        if self._over_at is not None:
            if who == "screening":
                return []
            goes_on = last == self._frame and self._recent >= _SPEECH_FRAMES
            if goes_on and not self._beeped:
                self._over_at = None
                return [GreetingGoesOn()]
            return []
        wait_ms = config.greeting_pause_ms
        if who == "voicemail" and self._announced:
            wait_ms = config.tone_wait_ms
        elif self._closing:
            wait_ms = config.closing_ms
        silent = self._frame - max(last, self._sounded) >= wait_ms // FRAME_MS
        if silent or (who == "unavailable" and self._frame - known >= _ANNOUNCEMENT_FRAMES):
            self._over_at, self._over_onset = self._frame, onset
            return [GreetingOver(beeped=False)]
        return []


def _who_says(kinds: frozenset[Kind], text: str) -> Who | None:
    """Who has phrases of these kinds; None where no machine has."""
    keys = count_of("menu", text) if "menu" in kinds else 0
    invited = bool(kinds & {"invite", "tone"})
    if "full" in kinds:
        return "voicemail"
    if "screening" in kinds and keys < 2:
        return "screening"
    if keys and "tone" not in kinds and (keys > 1 or not invited or _offers(text)):
        return "menu"
    if invited:
        return "voicemail"
    if "unavailable" in kinds:
        return "unavailable"
    if "hold" in kinds:
        return "hold_queue"
    return "voicemail" if "machine" in kinds else None


def _offers(text: str) -> bool:
    """Whether a key comes first, and what one may do by it after that; or "to …, press …"."""
    return place_of("menu", text) < place_of("invite", text) or begins_with_aim(text)
