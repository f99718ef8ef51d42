"""What people say who do not want to be recorded, by language.

Patterns match plain words (`voice_loop.phrases.plain_words`): lower case, no punctuation. They
are wide, since an objection that is missed weighs more than a recording that is lost; but a word
for recordings alone is none ("is this call recorded?", "you did not record my order").
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from voice_loop.phrases import language_code, plain_words

#: Up to so many words between what is said not to be wanted and the recording.
_SOME = r"(?: [\w']+){0,7}?"

_PATTERNS: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        r"(?:don't|dont|do not|never|not to|please not|stop|quit)(?: you)? record(?:ing)?",
        r"(?:stop|end|pause|turn off|switch off|shut off|delete|erase|cancel)"
        r" (?:the|this|that|your|my|any) record(?:ing|er)",
        r"(?:turn|switch|shut) (?:the|this|that|your) record(?:ing|er) off",
        r"(?:not|cannot|never|\w+n't|dont) (?:\w+ )?(?:want|wish|like|agree|consent|allow|"
        r"allowed|permit|accept|authorize|okay|ok|fine|comfortable|happy|willing|give)"
        rf"{_SOME} (?:record(?:ed|ing|ings)|record (?:me|us|it|this|that|my|the))",
        rf"(?:rather|prefer)(?: \w+)? not{_SOME} record(?:ed|ing)?",
        rf"(?:rather|prefer) (?:you|if you|that you) (?:did not|didn't|do not|don't){_SOME} record",
        rf"(?:object|opposed|refuse|decline){_SOME} record(?:ed|ing)",
        r"no recording(?:s)?",
        r"without (?:\w+ )?(?:recording|being recorded)",
        r"(?:not|\w+n't) be recorded",
    ),
    "es": (
        r"no (?:me |nos |lo |la )?grab(?:e|es|en|éis|ar|arme|arlo)",
        r"no (?:\w+ )?(?:quiero|deseo|acepto|autorizo|permito|consiento|doy|gusta|gustaría)"
        rf"{_SOME} grab(?:ado|ada|adas|ados|an|ando|ación|ar|arme|e|en)",
        r"(?:pare|paren|detenga|deje|apague|corte|borre|quite|elimine|cancele)(?: \w+){0,2}"
        r" graba(?:r|ción)",
        r"sin (?:la )?graba(?:r|ción)",
        rf"me opongo{_SOME} graba\w+",
    ),
    "de": (
        r"(?:nicht|nichts|kein|keine|keinen) (?:\w+ )?(?:aufzeichnen|aufnehmen|mitschneiden)",
        r"(?:zeichnen|nehmen|schneiden) sie(?: \w+){0,4} nicht (?:auf|mit)",
        rf"(?:nicht|keine|keinen){_SOME} (?:aufgezeichnet|aufgenommen|mitgeschnitten)"
        r" (?:werden|werde|wird|haben)",
        r"keine (?:aufzeichnung|aufnahme|gesprächsaufzeichnung)",
        r"ohne (?:aufzeichnung|aufnahme|gesprächsaufzeichnung)",
        r"(?:stoppen|beenden|löschen|unterbrechen) sie (?:\w+ )?(?:die|diese)"
        r" (?:aufzeichnung|aufnahme)",
        rf"widersprech\w+{_SOME} (?:aufzeichnung|aufnahme)",
        rf"(?:nicht|kein){_SOME} (?:einverstanden|zustimm\w+){_SOME}"
        r" (?:aufzeichnung|aufnahme|aufgezeichnet|aufgenommen)",
        rf"(?:aufzeichnung|aufnahme){_SOME} nicht (?:einverstanden|zu)",
    ),
    "fr": (
        r"(?:n'|ne (?:\w+' ?|me |nous |le |la |l')?)enregistre[zs]? pas",
        r"(?:ne pas|pas) (?:m'|nous |l'|l' )?enregistrer",
        r"(?:ne|n')(?: ?\w+'?)? ?(?:veux|veut|voulons|souhaite|souhaitons|accepte|autorise|"
        rf"consens|permets) pas{_SOME} (?:[dl]')?enregistr\w+",
        rf"(?:arrêtez|stoppez|coupez|supprimez|effacez|cessez){_SOME} (?:[dl]')?enregistre\w+",
        r"(?:sans|pas d'|aucun) ?enregistrement",
        rf"(?:(?:m')?oppose|refuse){_SOME} (?:[dl]')?enregistr\w+",
    ),
    "it": (
        r"non (?:mi |ci |lo |la )?registr(?:i|are|ate|atemi|armi)",
        r"non (?:voglio|vorrei|desidero|acconsento|accetto|autorizzo|permetto)"
        rf"{_SOME} registra(?:to|ta|ti|re|zione)",
        rf"(?:smetta|smettete|interrompa|fermi|cancelli|spenga|elimini){_SOME}"
        r" registra(?:re|zione)",
        r"senza (?:la )?registra(?:re|zione)",
        rf"(?:oppongo|rifiuto){_SOME} registrazione",
    ),
    "pt": (
        r"não (?:me |nos |o |a )?grav(?:e|em|ar)",
        r"não (?:quero|desejo|aceito|autorizo|concordo|permito|gostaria)"
        rf"{_SOME} grav(?:ado|ada|ação|ar|em|ando)",
        rf"(?:pare|parem|interrompa|desligue|apague|cancele){_SOME} grava(?:r|ção)",
        r"sem (?:a )?grava(?:r|ção)",
        rf"(?:oponho|recuso){_SOME} gravação",
    ),
    "nl": (
        r"(?:niet|geen|niets) (?:\w+ )?(?:opnemen|opname|opnames)",
        rf"niet{_SOME} opgenomen (?:wordt|worden|word)",
        r"neem(?:t u)?(?: \w+){0,3} niet op",
        r"(?:stop|verwijder|wis|beëindig) (?:met )?(?:de |deze |het )?(?:opname|opnemen)",
        r"zonder (?:opname|opnemen|op te nemen)",
        rf"(?:bezwaar|weiger){_SOME} (?:opname|opnemen|opgenomen)",
    ),
}
_BY_LANGUAGE: Final = {
    code: re.compile(rf"(?<![\w'])(?:{'|'.join(patterns)})(?![\w'])")
    for code, patterns in _PATTERNS.items()
}


def objection_in(text: str, language: str) -> str | None:
    """The words of a text that object to a recording; None where none do.

    Args:
        text: what somebody said.
        language: BCP 47 tag or code; English stands in for one that has no patterns.
    """
    patterns = _BY_LANGUAGE.get(language_code(language), _BY_LANGUAGE["en"])
    found = patterns.search(plain_words(text.replace("’", "'")))
    return None if found is None else found[0]
