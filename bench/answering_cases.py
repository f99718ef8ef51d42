"""Cases of who answered, for `bench.answering`: made of recorded prompts, a voice's greetings,
tones of many countries, and people.

Which half a case is of is told by its name: `tune` for choosing thresholds and phrases, `closed`
for what is reported. Of people it is told by the speaker.
"""

import hashlib
import itertools
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.piper import Piper
from models.recordings import RATE, Part, recordings
from pbx.testbed.music import tune
from tests.voice_loop.answering.sounds import BUSY, RINGING, SIT, cadence, tone
from voice_loop.answering.watch import Who
from voice_loop.audio import Samples, resample

#: Of people's recordings, so much is heard at most: who answers does not talk for a minute.
_LONGEST_S: Final = 14
#: Every so many of the orders, so that a run takes minutes.
_STEP: Final = 9


@dataclass(frozen=True)
class Case:
    """What is heard after the answer."""

    name: str
    who: Who
    language: str
    part: Part
    sound: Samples
    """At 8 kHz, without the silence after it."""


def _part(name: str) -> Part:
    return "tune" if hashlib.sha256(name.encode()).digest()[-1] % 2 else "closed"


def _quiet(ms: int) -> Samples:
    return np.zeros(RATE * ms // 1000, np.int16)


def _beep(name: str) -> Samples:
    """One of many: 400 to 2000 Hz, one frequency or two, 0.1 to 1 s, by the case's name."""
    rng = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()[:4]))
    pitches = [float(rng.choice([440, 500, 620, 800, 850, 950, 1000, 1100, 1400, 1633, 2000]))]
    if rng.random() < 0.2:
        pitches.append(pitches[0] * 1.25 if pitches[0] < 1600 else pitches[0] * 0.75)
    ms = float(rng.choice([120, 180, 250, 330, 400, 500, 700]))
    return np.concatenate([_quiet(int(rng.integers(150, 1_500))), tone(pitches, ms)])


# -- Asterisk's own prompts --------------------------------------------------------------------

_PROMPTED: Final[Sequence[tuple[Who, Sequence[str]]]] = (
    ("voicemail", ("vm-intro", "BEEP")),
    ("voicemail", ("vm-intro",)),
    ("voicemail", ("vm-theperson", "digits/1", "digits/4", "vm-isunavail", "vm-intro", "BEEP")),
    ("voicemail", ("vm-theperson", "digits/2", "digits/0", "vm-isonphone", "vm-intro", "BEEP")),
    ("voicemail", ("vm-nobodyavail", "PAUSE", "vm-intro", "BEEP")),
    ("voicemail", ("vm-nobodyavail", "vm-intro")),
    ("voicemail", ("vm-theperson", "digits/7", "vm-isunavail", "PAUSE", "BEEP")),
    ("voicemail", ("vm-mailboxfull", "vm-goodbye")),
    ("menu", ("vm-options",)),
    ("menu", ("vm-opts",)),
    ("menu", ("vm-opts-full",)),
    ("menu", ("conf-usermenu",)),
    ("menu", ("priv-callee-options",)),
    ("menu", ("basic-pbx-ivr-main",)),
    ("menu", ("hello", "PAUSE", "vm-reachoper", "vm-leavemsg")),
    ("screening", ("priv-recordintro",)),
    ("hold_queue", ("queue-periodic-announce", "MUSIC")),
    ("hold_queue", ("queue-youarenext", "queue-thankyou", "MUSIC")),
    ("hold_queue", ("pls-hold-while-try", "MUSIC")),
    ("hold_queue", ("priv-introsaved", "MUSIC")),
    ("hold_queue", ("tt-allbusy", "MUSIC")),
    ("hold_queue", ("queue-thereare", "digits/3", "queue-callswaiting", "MUSIC")),
    ("unavailable", ("ss-noservice",)),
    ("unavailable", ("SIT", "ss-noservice")),
    ("unavailable", ("cannot-complete-as-dialed", "check-number-dial-again")),
    ("unavailable", ("SIT", "cannot-complete-as-dialed")),
    ("unavailable", ("number-not-answering", "pls-try-call-later")),
    ("unavailable", ("SIT", "all-circuits-busy-now", "pls-try-call-later")),
    ("human", ("hello",)),
)


def prompted(folder: Path, language: str) -> Iterator[Case]:
    """Those of one language, as far as the folder has its prompts."""
    for who, parts in _PROMPTED:
        name = f"{language}/{'+'.join(parts)}"
        sounds = [_played(folder, part, name) for part in parts]
        if all(sound is not None for sound in sounds):
            whole = np.concatenate([sound for sound in sounds if sound is not None])
            yield Case(name, who, language, _part(name), whole)


def _played(folder: Path, part: str, name: str) -> Samples | None:
    match part:
        case "BEEP":
            return _beep(name)
        case "PAUSE":
            return _quiet(700)
        case "MUSIC":
            return np.concatenate([_quiet(300), tune()[: RATE * 6] // 2])
        case "SIT":
            kinds = sorted(SIT)
            kind = kinds[len(name) % len(kinds)]
            return np.concatenate([*(tone((hz,), ms) for hz, ms in SIT[kind]), _quiet(300)])
        case _:
            return read(folder / f"{part}.wav")


def read(path: Path) -> Samples | None:
    """A WAV file of 8 kHz, without the silence around it; None where there is none."""
    if not path.exists():
        return None
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)


# -- what a voice says -------------------------------------------------------------------------

_NAMES: Final = ("Sam", "the Lopez family", "Doctor Chen", "Maria Sanchez", "Bob at Acme Plumbing")
_VOICEMAILS: Final = (
    "Hi, you've reached {}. I can't take your call right now. Leave a message and I'll call you "
    "back.",
    "Hello, this is {}. Please leave your name and number after the beep. Thank you.",
    "You have reached the voicemail of {}. At the tone, please record your message.",
    "Hey, it's {}. Sorry I missed you. Leave me a message.",
    "Your call has been forwarded to an automated voice messaging system. {} is not available. At "
    "the tone, please record your message. When you have finished recording, you may hang up, or "
    "press one for more options.",
    "Thank you for calling {}. Our office is currently closed. Please leave a message and we will "
    "return your call the next business day.",
    "Hi. This is {}. I'm either away from my desk or on the other line. Please leave a detailed "
    "message and I'll get back to you as soon as possible. Have a great day.",
    "We're sorry, the person you are calling is not available. Please leave your message after "
    "the tone.",
    "The mailbox of {} is full and can not accept any messages at this time. Goodbye.",
    "Hi, {} here. You know what to do at the beep.",
    "Hello. No one is available to take your call. Please leave a message after the tone.",
    "This is {}. I'm on vacation until Monday. If it is urgent, send me a text. Otherwise leave a "
    "voicemail.",
)
_MENUS: Final = (
    "Thank you for calling {}. For sales, press one. For support, press two. For all other "
    "questions, stay on the line.",
    "Welcome to {}. If you know your party's extension, please dial it now. For the directory, "
    "press nine.",
    "Please listen carefully, as our menu options have changed. To make an appointment, press one. "
    "To reach billing, press three.",
    "For English, press one. Para español, oprima el dos.",
    "You have reached {}. Press zero for the operator, or say agent.",
)
_SCREENERS: Final = (
    "Hi. The person you're calling is using a screening service. Please say your name and why "
    "you're calling.",
    "If you record your name and reason for calling, I'll see if this person is available.",
    "Please state your name and the purpose of your call after the tone.",
    "Hello, this is the assistant of {}. May I ask you to say your name and the reason for your "
    "call?",
)
_HOLDS: Final = (
    "All of our agents are currently helping other customers. Please stay on the line, and your "
    "call will be answered in the order it was received.",
    "Thank you for holding. Your call is important to us. Please continue to hold.",
    "Please hold while I try to connect you.",
    "Your estimated wait time is four minutes. You are caller number three in the queue.",
)
_UNAVAILABLE: Final = (
    "The number you have dialed is not in service. Please check the number and dial again.",
    "We're sorry, you have reached a number that has been disconnected or is no longer in service.",
    "The wireless customer you are calling is not available. Please try your call again later.",
    "Your call can not be completed as dialed.",
    "The subscriber you have dialed is not accepting calls at this time.",
)
_PEOPLE: Final = (
    "Hello?", "Hi.", "Yes?", "Hello, this is {}.", "{} speaking.", "Hello? Who is this?",
    "Good morning, {}, how can I help you?", "Yes, hello.", "Speaking.", "Hey, what's up?",
    "Good afternoon, thank you for calling {}. This is Anna. How may I help you today?",
    "{}, good morning.", "Yeah, hello?", "Hello, {} here, who am I speaking to?",
    "Reception, {}.", "Hello, can you hear me?", "I'm listening.",
    "Good morning, dental practice of {}, you are speaking with Julia.",
)  # fmt: skip
_SAID: Final[Sequence[tuple[Who, Sequence[str]]]] = (
    ("voicemail", _VOICEMAILS),
    ("menu", _MENUS),
    ("screening", _SCREENERS),
    ("hold_queue", _HOLDS),
    ("unavailable", _UNAVAILABLE),
    ("human", _PEOPLE),
)


async def spoken(voice: Path, cache: Path | None) -> Sequence[Case]:
    """What an English voice says, each text with the names that fit it and at several paces.

    Args:
        voice: a Piper voice.
        cache: folder that keeps what it has said; None where it is not kept.
    """
    engine = Piper(voice)
    found = []
    for who, texts in _SAID:
        for text in texts:
            names = _NAMES if "{}" in text else _NAMES[:2]
            for index, called in enumerate(names):
                case = f"{voice.parent.name}/{voice.stem}/{who}/{text.format(called)}/{index}"
                said = text.format(called)
                speed = (0.9, 1.0, 1.15, 1.05, 0.95)[index]
                sound = await _said(engine, said, speed, cache)
                if who == "voicemail" and "full" not in text and _part(f"beep {case}") == "tune":
                    sound = np.concatenate([sound, _beep(case)])
                found.append(Case(case, who, "en", _part(case), sound))
    return found


async def _said(engine: Piper, text: str, speed: float, cache: Path | None) -> Samples:
    key = hashlib.sha256(f"{text} {speed}".encode()).hexdigest()[:32]
    kept = None if cache is None else cache / f"{key}.npy"
    if kept is not None and kept.exists():
        return np.asarray(np.load(kept), dtype=np.int16)
    chunks = [chunk async for chunk in engine.stream(text, speed)]
    sound = resample(np.concatenate(chunks), engine.rate, RATE)
    if kept is not None:
        np.save(kept, sound)
    return sound


# -- tones and nothing -------------------------------------------------------------------------


def toned() -> Iterator[Case]:
    """Ringing, busy, information and fax tones, music, and a silent line."""
    for country, (pitches, seconds) in RINGING.items():
        times = 2 if sum(seconds) > 3 else 3
        sound = cadence(pitches, seconds, times)
        yield Case(f"ringing/{country}", "ringing", "", _part(country), sound)
    for country, (pitches, seconds) in BUSY.items():
        sound = cadence(pitches, seconds, 10)
        yield Case(f"busy/{country}", "unavailable", "", _part(country), sound)
    for kind, tones in SIT.items():
        sound = np.concatenate([tone((hz,), ms) for hz, ms in tones])
        yield Case(f"SIT/{kind}", "unavailable", "", _part(kind), sound)
    for hz, ms in itertools.product((2095, 2100, 2105), (2600, 3300)):
        name = f"fax/{hz}/{ms}"
        yield Case(name, "fax", "", _part(name), tone((hz,), ms))
    for dbfs in (-16, -20, -24, -28):
        name = f"calling fax/{dbfs}"
        called = np.concatenate([tone((1100,), 500, dbfs), _quiet(3_000)] * 2)
        yield Case(name, "fax", "", _part(name), called)
    for start in range(0, 8):
        name = f"music/{start}"
        music = np.roll(tune(), start * RATE * 2)[: RATE * 9] // (1 + start % 4)
        yield Case(name, "hold_queue", "", _part(name), music)
    for seconds_long in range(4):
        name = f"silence/{seconds_long}"
        yield Case(name, "silence", "", _part(name), _quiet(6_000 + 500 * seconds_long))


# -- people ------------------------------------------------------------------------------------


def people(folder: Path) -> Iterator[Case]:
    """Recordings of people: words by themselves, and who talks on."""
    for of_set in ("words", "watson", "orders"):
        step = _STEP if of_set == "orders" else 1
        for one in recordings(folder, [of_set])[::step]:
            sound = one.samples()[: RATE * _LONGEST_S]
            yield Case(f"{of_set}/{one.name}", "human", one.language, one.part, sound)


async def cases(
    sounds: Sequence[Path], voices: Sequence[Path], audio: Path | None, cache: Path | None = None
) -> list[Case]:
    """All that can be made of what there is.

    Args:
        sounds: folders of Asterisk's prompts, one per language, named as Asterisk does.
        voices: English Piper voices.
        audio: recordings of people.
        cache: folder that keeps what the voices have said.
    """
    found = [case for folder in sounds for case in prompted(folder, folder.name[:2])]
    for voice in voices:
        found += await spoken(voice, cache)
    found += toned()
    return found + ([] if audio is None else list(people(audio)))
