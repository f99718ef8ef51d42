"""Spoken training data: espeak-ng through ctypes, then a telephone channel.

espeak-ng tells where each word and phoneme begins (`speak_lib.h`, the event list of the synthesis
callback), which is what lets the tiny recogniser and the tiny voice learn quickly. The channel
is what a phone line does to speech: 8 kHz, G.711 µ-law, a level, noise, a lost frame now and then.
"""

import ctypes
import ctypes.util
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

try:
    import espeakng_loader
except ImportError:  # the system's own library then
    espeakng_loader = None

Floats = npt.NDArray[np.float32]
Samples = npt.NDArray[np.int16]

TELEPHONE_RATE: Final = 8000
MODEL_RATE: Final = 16000

#: Accents of English that espeak-ng has.
ACCENTS: Final = (
    "en-us",
    "en",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
    "en-us-nyc",
)
_HELDOUT_VARIANTS = "Andy Annie Michael belinda edward f5 ian m7 steph2 robert linda"
_TRAINING_VARIANTS = (
    "Alex Alicia Andrea Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Mike "
    "Nguyen Reed RicishayMax RicishayMax2 RicishayMax3 Storm adam anika announcer antonio "
    "aunty benjamin boris caleb david ed edward2 f1 f2 f3 f4 grandma grandpa gustave iven "
    "iven2 iven3 iven4 john kaukovalta klatt klatt2 klatt3 klatt4 m1 m2 m3 m4 m5 m6 m8 "
    "marcelo max michel miguel mike2 norbert pablo paul pedro quincy rob sandro shelby "
    "steph steph3 travis victor zac"
)
#: Speakers (espeak-ng voice variants) that training never hears.
HELDOUT_VARIANTS: Final = tuple(_HELDOUT_VARIANTS.split())
TRAINING_VARIANTS: Final = tuple(_TRAINING_VARIANTS.split())

_SYNCHRONOUS = 2
_PHONEME_EVENTS, _PHONEME_IPA, _DONT_EXIT = 1, 2, 0x8000
_EVENT_END_OF_LIST, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
_RATE, _PITCH, _RANGE, _WORD_GAP = 1, 3, 4, 7
_UTF8 = 1


class _EventId(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Speaker:
    """One espeak-ng voice and how it speaks.

    Attributes:
        rate: words a minute.
        pitch, pitch_range: 0 to 100.
        word_gap: extra pause between words, in 10 ms.
    """

    accent: str = "en-us"
    variant: str = ""
    rate: int = 170
    pitch: int = 50
    pitch_range: int = 50
    word_gap: int = 0

    @property
    def name(self) -> str:
        return f"{self.accent}+{self.variant}" if self.variant else self.accent


@dataclass(frozen=True)
class Speech:
    """What espeak-ng said; all positions in seconds from the start of `samples`.

    Attributes:
        samples: mono, -1 to 1, at `rate` Hz.
        words: start and end of each word of the text, in order.
        phonemes: start and IPA name of each phoneme; an empty name is a pause.
    """

    samples: Floats
    rate: int
    words: tuple[tuple[float, float], ...]
    phonemes: tuple[tuple[float, str], ...]


class SpeechSynthesisError(RuntimeError):
    """espeak-ng is not installed or refused a voice."""


class Espeak:
    """espeak-ng in this process. The library has one global state: make one object a process."""

    def __init__(self) -> None:
        library, data = _find_library()
        self._lib = ctypes.CDLL(library)
        self._lib.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        options = _PHONEME_EVENTS | _PHONEME_IPA | _DONT_EXIT
        self.rate: int = self._lib.espeak_Initialize(
            _SYNCHRONOUS, 200, data.encode() if data else None, options
        )
        if self.rate <= 0:
            raise SpeechSynthesisError("espeak-ng found no data files")
        self._audio: list[npt.NDArray[np.int16]] = []
        self._events: list[tuple[int, int, int, str]] = []
        # Kept on the object: ctypes does not hold the callback alive by itself.
        self._callback = _Callback(self._receive)
        self._lib.espeak_SetSynthCallback(self._callback)
        self._voice = ""

    def _receive(self, wav: "ctypes._Pointer[ctypes.c_short]", count: int, events: object) -> int:
        if wav and count > 0:
            self._audio.append(np.ctypeslib.as_array(wav, shape=(count,)).copy())
        index = 0
        while (event := events[index]).type != _EVENT_END_OF_LIST:  # type: ignore[index]
            if event.type == _EVENT_PHONEME:
                name = bytes(event.id.string).decode(errors="replace")
                self._events.append((event.type, event.sample, 0, name))
            elif event.type == _EVENT_WORD:
                self._events.append((event.type, event.sample, event.text_position, ""))
            index += 1
        return 0

    def say(self, words: Sequence[str], speaker: Speaker, pauses: Sequence[int] = ()) -> Speech:
        """Speaks `words`; a comma follows the words whose indexes are in `pauses`.

        Raises:
            SpeechSynthesisError: there is no such voice.
        """
        if speaker.name != self._voice:
            if self._lib.espeak_SetVoiceByName(speaker.name.encode()) != 0:
                raise SpeechSynthesisError(f"espeak-ng has no voice {speaker.name}")
            self._voice = speaker.name
        for parameter, value in (
            (_RATE, speaker.rate),
            (_PITCH, speaker.pitch),
            (_RANGE, speaker.pitch_range),
            (_WORD_GAP, speaker.word_gap),
        ):
            self._lib.espeak_SetParameter(parameter, value, 0)
        starts, text = [], ""
        for index, word in enumerate(words):
            starts.append(len(text) + 1)  # espeak-ng counts characters from 1
            text += word + (", " if index in pauses else " ")
        encoded = text.encode()
        self._audio, self._events = [], []
        self._lib.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None)
        samples = (
            np.concatenate(self._audio).astype(np.float32) / 32768.0
            if self._audio
            else np.zeros(0, np.float32)
        )
        return Speech(
            samples=samples,
            rate=self.rate,
            words=self._word_spans(starts, len(samples) / self.rate),
            phonemes=tuple(
                (sample / self.rate, name)
                for kind, sample, _, name in self._events
                if kind == _EVENT_PHONEME
            ),
        )

    def _word_spans(self, starts: list[int], end: float) -> tuple[tuple[float, float], ...]:
        """Times of the words. espeak-ng may speak two words as one: they share its time."""
        at: dict[int, float] = {}
        for kind, sample, position, _ in self._events:
            if kind == _EVENT_WORD and position in starts:
                at.setdefault(starts.index(position), sample / self.rate)
        begins = sorted(at.items())
        spans: list[tuple[float, float]] = []
        for order, (index, begin) in enumerate(begins):
            following = begins[order + 1] if order + 1 < len(begins) else (len(starts), end)
            share = (following[1] - begin) / (following[0] - index)
            spans.extend(
                (begin + share * k, begin + share * (k + 1)) for k in range(following[0] - index)
            )
        missing = len(starts) - len(spans)
        return tuple([(0.0, 0.0)] * missing + spans) if missing else tuple(spans)


def _find_library() -> tuple[str, str]:
    """The shared library and its data directory ("" for the library's own default)."""
    if espeakng_loader is None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise SpeechSynthesisError("install espeakng-loader or the espeak-ng package")
        return name, ""
    return str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path())


def random_speaker(rng: np.random.Generator, variants: Sequence[str]) -> Speaker:
    """A speaker with any accent and a voice out of `variants`."""
    return Speaker(
        accent=str(rng.choice(ACCENTS)),
        variant=str(rng.choice(variants)),
        rate=int(rng.integers(130, 216)),
        pitch=int(np.clip(rng.normal(50, 16), 5, 95)),
        pitch_range=int(rng.integers(20, 80)),
        word_gap=int(rng.integers(1, 9)) if rng.random() < 0.2 else 0,
    )


def trim(samples: Floats, rate: int, level: float = 0.004) -> tuple[int, int]:
    """First and last index of what is louder than `level` of full scale (10 ms blocks)."""
    block = rate // 100
    usable = len(samples) // block * block
    if usable == 0:
        return 0, len(samples)
    loud = np.abs(samples[:usable]).reshape(-1, block).max(axis=1) > level
    if not loud.any():
        return 0, len(samples)
    return int(loud.argmax()) * block, (len(loud) - int(loud[::-1].argmax())) * block


_MU = 255.0


def mulaw_round_trip(samples: Floats) -> Floats:
    """What 8-bit companding leaves of the samples (the continuous law of ITU-T G.711)."""
    clipped = np.clip(samples, -1.0, 1.0)
    code = np.sign(clipped) * np.log1p(_MU * np.abs(clipped)) / np.log1p(_MU)
    code = (np.round((code + 1.0) * 127.5) / 127.5 - 1.0).astype(np.float32)
    decoded = np.sign(code) * (np.expm1(np.abs(code) * np.log1p(_MU)) / _MU)
    return np.asarray(decoded, np.float32)


@functools.cache
def _noise_bank() -> Floats:
    """Eight slopes of coloured noise from white to brown-like, each RMS 1."""
    rng = np.random.default_rng(5)
    count = 1 << 18
    rows = []
    for slope in np.linspace(0.0, 1.4, 8):
        shape = np.arange(1, count // 2 + 2) ** (-slope / 2)
        row = np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) * shape, count)
        rows.append(row / np.sqrt(np.mean(row**2)))
    return np.stack(rows).astype(np.float32)


def noise(rng: np.random.Generator, count: int) -> Floats:
    """`count` samples (at most 30 s at 8 kHz) of noise with a random slope, RMS about 1."""
    bank = _noise_bank()
    start = int(rng.integers(0, bank.shape[1] - count))
    row: Floats = bank[rng.integers(0, len(bank)), start : start + count]
    return row


def through_phone(
    rng: np.random.Generator, speech: Floats, lead: float, trail: float, *, clean: bool = False
) -> Floats:
    """What the recogniser gets of `speech` (8 kHz, -1 to 1) after a phone call.

    Args:
        lead, trail: seconds of room noise put before and after it.
        clean: only the level and the codec, no line noise and no lost frames.

    Returns:
        Samples at 16 kHz, -1 to 1.
    """
    rate = TELEPHONE_RATE
    line = np.concatenate(
        [np.zeros(int(lead * rate), np.float32), speech, np.zeros(int(trail * rate), np.float32)]
    )
    rms = float(np.sqrt(np.mean(speech**2))) + 1e-9
    level = 10.0 ** (rng.uniform(-33.0, -14.0) / 20.0)
    line *= level / rms
    if not clean:
        if rng.random() < 0.4:  # a handset's tilt
            tilt = rng.uniform(-0.5, 0.5)
            line[1:] += np.float32(tilt) * line[:-1]
        # Dirty lines teach the most, but a call may also come over a digital path.
        below = rng.uniform(14.0, 45.0) if rng.random() < 0.7 else rng.uniform(45.0, 75.0)
        line += level * np.float32(10.0 ** (-below / 20.0)) * noise(rng, len(line))
        if rng.random() < 0.05 and len(line) > 480:  # a lost packet
            at = int(rng.integers(0, len(line) - 160))
            line[at : at + 160] = 0.0
    return resample(mulaw_round_trip(line), rate, MODEL_RATE)


def resample(samples: Floats, rate: float, to: float) -> Floats:
    """Band-limited change of the sample rate."""
    return np.asarray(soxr.resample(samples, rate, to, quality="MQ"), np.float32)
