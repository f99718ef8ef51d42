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


#: What voicemails, menus, networks and call screening say, and people hardly ever; by language.
_RECORDED: Final = re.compile(
    "|".join(
        (
            # en
            r"\b(?:leave|record|state)\b.{0,30}\b(?:message|name|number|details)\b",
            r"\b(?:after|at|wait for|hear) the (?:tone|beep|signal|sound of)\b",
            r"\bvoice ?mail|\bmail ?box\b|\banswering (?:machine|service)\b",
            r"\breached\b.{0,80}\b(?:away|back|can't|closed|hours|leave|not|unable|unavailable)\b",
            r"\b(?:can ?not|can't|unable|not available|not here) (?:to )?"
            r"(?:answer|come to|take)\b.{0,16}\b(?:call|phone)\b",
            r"\b(?:customer|number|party|person|subscriber|user) (?:that )?(?:you|is)\b.{0,24}"
            r"\b(?:available|call|called|calling|dial|dial?led|reach|reached|service|unavailable)\b",
            r"\bnot (?:in service|(?:accepting|receiving) calls)\b|\bas dial?led\b",
            r"\byour call (?:cannot|has been|is|will be) "
            r"(?:answered|be|forwarded|important|recorded)\b",
            r"\bcalls? (?:is|are|may|might|will) (?:be(?:ing)? )?(?:monitored|recorded)\b",
            r"\b(?:agents|operators|representatives) are (?:currently )?(?:assisting|busy)\b",
            r"\b(?:remain|stay) on the line\b|\boffice (?:hours are|is (?:currently )?closed)\b",
            r"\b(?:press|dial) (?:the |any )?(?:\d|zero|one|two|three|four|five|six|seven|eight"
            r"|nine|star|pound|hash|key)\b",
            r"\breason for (?:calling|your call)\b",
            # es
            r"\b(?:dej[ae]|dejen|dejar|dejanos|déjanos|grab[ae]|diga) .{0,30}"
            r"\b(?:mensaje|motivo|nombre|recado)\b",
            r"\b(?:al o[ií]r|después|despues|tras) .{0,10}\b(?:pitido|señal|tono)\b",
            r"\bbuz[oó]n\b|\bcontestador|\bfuera de cobertura\b|\bapagado o\b",
            r"\bno (?:est[aá]|se encuentra) disponible\b|\bno (?:puedo|podemos) atender",
            r"\bllamada (?:est[aá] siendo|podr[aá] ser|puede ser|ser[aá]) grabada\b",
            r"\b(?:agentes|operadores) (?:est[aá]n|se encuentran) ocupados\b",
            r"\bpermanezca en l[ií]nea\b",
            r"\b(?:marque|oprima|presione|pulse) (?:el |la )?(?:\d|cero|uno|dos|tres|cuatro|cinco"
            r"|seis|siete|ocho|nueve|asterisco|almohadilla|tecla)\b",
            # de
            r"\bhinterlassen\b.{0,30}\bnachricht\b|\bnach dem (?:signal|piep)?ton\b",
            r"\banrufbeantworter\b|\bteilnehmer ist\b|\bnicht (?:erreichbar|zu erreichen)\b",
            r"\bdrücken sie (?:bitte )?die\b",
            # fr
            r"\blaisse[rz]\b.{0,30}\bmessage\b|\bapr[eè]s le (?:bip|signal)\b",
            r"\brépondeur\b|\bmessagerie\b|\b(?:appuyez sur|tapez)\b|\bvotre correspondant\b",
            # it, pt
            r"\blasci(?:a|ate|are)\b.{0,30}\bmessaggio\b|\bdopo il segnale\b|\bsegreteria\b",
            r"\bdeix[ae]\b.{0,30}\b(?:mensagem|recado)\b|\bapós o (?:bip|sinal)\b|\bcaixa postal\b",
        )
    ),
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
