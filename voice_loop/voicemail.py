"""Tells an answering machine by what it does first: it greets at length, then beeps.

Sans-IO: frames and speech verdicts go in. A person does the one, hardly ever the other. Many
machines say what they are, too.
"""

import re
from dataclasses import dataclass
from typing import Final

from voice_loop.audio import FRAME_MS, Samples
from voice_loop.tone import ToneDetector

#: Speech that makes a greeting, its pauses not counted.
_GREETING_FRAMES = 1500 // FRAME_MS
#: The tone comes so soon after the last word,
_AFTER_FRAMES = 5_000 // FRAME_MS
#: and so soon after the answer.
_WITHIN_FRAMES = 60_000 // FRAME_MS
#: A key that is pressed may be heard for so long around the event that tells of it.
_KEY_FRAMES = 500 // FRAME_MS


#: What voicemails, menus and call screening say, and people hardly ever.
_RECORDED: Final = re.compile(
    r"\b(?:leave|record)\b.{0,30}\b(?:message|name|number)\b"
    r"|\b(?:after|at|wait for) the (?:tone|beep|signal)\b"
    r"|\bvoice ?mail\b|\bmailbox\b|\banswering machine\b|\breason for (?:your call|calling)\b"
    r"|\b(?:can ?not|can't|unable to|not available to)\b.{0,12}\b(?:take|answer|come to)\b"
    r".{0,12}\b(?:call|phone)\b"
    r"|\b(?:person|number|party|customer|subscriber) you.{0,20}"
    r"\b(?:call|called|calling|dial|dial?led|reach)\b"
    r"|\byour call (?:is|has been|will be) (?:important|forwarded|recorded|answered)\b"
    r"|\bpress (?:the |any )?(?:\d|zero|one|two|three|four|five|six|seven|eight|nine|star|pound"
    r"|hash|key)\b"
    r"|\b(?:dejen?|grabe)\b.{0,30}\b(?:mensaje|recado|nombre)\b|\bbuz[oó]n\b|\bcontestador"
    r"|\b(?:despu[eé]s|tras|al o[ií]r)\b.{0,10}\b(?:señal|tono|pitido)\b|\bfuera de cobertura\b"
    r"|\bno (?:est[aá]|se encuentra) disponible\b"
    r"|\b(?:pulse|marque|oprima|presione) (?:el |la )?(?:\d|cero|uno|dos|tres|cuatro|cinco|seis"
    r"|siete|ocho|nueve|asterisco|almohadilla|tecla)\b"
    r"|\bhinterlassen\b.{0,30}\bnachricht\b|\bnach dem (?:signal|piep)?ton\b|\banrufbeantworter\b"
    r"|\blaissez\b.{0,30}\bmessage\b|\bapr[eè]s le (?:bip|signal)\b|\brépondeur\b|\bmessagerie\b"
    r"|\blasci(?:a|ate|are)\b.{0,30}\bmessaggio\b|\bdopo il segnale\b|\bsegreteria telefonica\b"
    r"|\bdeixe\b.{0,30}\b(?:mensagem|recado)\b|\bapós o (?:sinal|bip)\b|\bcaixa postal\b",
    re.IGNORECASE,
)


def sounds_recorded(text: str) -> bool:
    """Whether these words are what machines say: to leave a message, to press a key."""
    return _RECORDED.search(text) is not None


@dataclass(frozen=True)
class VoicemailTone:
    """A greeting and a tone were heard: what is said from now on is recorded."""


@dataclass(frozen=True)
class Beep:
    """A tone was heard, and no greeting before it."""


class VoicemailWatch:
    """Listens to one call from the answer on, at `rate` Hz."""

    def __init__(self, rate: int) -> None:
        self._tones = ToneDetector(rate)
        self._frame = 0
        self._speech = 0
        self._last_speech = 0
        self._keys_until = 0

    def press(self) -> None:
        """The far end pressed a key."""
        self._keys_until = self._frame + _KEY_FRAMES

    def listen(self, heard: Samples, *, is_speech: bool) -> VoicemailTone | Beep | None:
        """Take one frame; the tone that has ended, if one has."""
        self._frame += 1
        if self._frame > _WITHIN_FRAMES:
            return None
        beeped = self._tones.push(heard)
        if is_speech and not self._tones.sounding:
            self._speech += 1
            self._last_speech = self._frame
        if not beeped or self._frame <= self._keys_until:
            return None
        greeted = self._speech >= _GREETING_FRAMES
        soon = self._frame - self._last_speech <= _AFTER_FRAMES
        return VoicemailTone() if greeted and soon else Beep()
