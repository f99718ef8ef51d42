"""Fixed lines and small word lists, by language.

The lines are spoken without the language model, so they work when it does not. The lists let
the loop tell a backchannel from an interruption.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Phrases:
    """What the loop itself says and listens for in one language."""

    repeat: str
    """Speech recognition was not sure."""
    are_you_there: str
    nobody_there: str
    """Said before hanging up on silence."""
    nobody_there_yet: str
    """The same, where the person is called again."""
    time_up: str
    one_moment: str
    """A tool takes its time."""
    tool_trouble: str
    """Tools were tried in vain."""
    greeting: str
    """Opens the call when the language model finds no words for it."""
    voicemail: str
    """Left on an answering machine when the language model finds no message for it."""
    at_a_loss: str
    """The language model finds no answer; the person is not to blame for that."""
    apology: str
    """An engine failed."""
    apology_for_now: str
    """The same, where the person is called again."""
    backchannels: frozenset[str]
    """Said while listening; they do not ask for the floor."""
    objections: frozenset[str]
    """Ask the agent to stop."""
    farewells: frozenset[str]
    greetings: frozenset[str]
    openers: frozenset[str]
    """What a reply may begin with that people say by itself, before they know how to go on."""

    def objects(self, words: str) -> bool:
        """Whether plain words have an objection in them."""
        return any(f" {line} " in f" {words} " for line in self.objections)


def _words(alternatives: str) -> frozenset[str]:
    return frozenset(part.strip() for part in alternatives.split("|"))


_ENGLISH = Phrases(
    repeat="sorry, i did not catch that. could you say it again?",
    are_you_there="are you still there?",
    nobody_there="i can not hear you. thank you, goodbye.",
    nobody_there_yet="i can not hear you, so i will call again another time. goodbye.",
    time_up="i am sorry, our time is up. thank you, goodbye.",
    one_moment="one moment, please.",
    tool_trouble="i am sorry, that does not work right now.",
    greeting="hello, do you have a moment?",
    voicemail="hello. i called and did not reach you. please call back when you can. goodbye.",
    at_a_loss="i am sorry, i lost my train of thought. could you say that once more?",
    apology="i am sorry, i have a technical problem. goodbye.",
    apology_for_now="i am sorry, i have a technical problem. we will call you again. goodbye.",
    backchannels=_words(
        "uh huh | mm | mm hmm | mhm | mmhmm | mm mm | mmm | hm | hmm | okay | ok | yeah | yep | "
        "yup | yes | right | i see | sure | all right | alright | ah | aha | oh | ooh | uh | um | "
        "er | wow | great | good | nice | cool | fine | perfect | lovely | excellent | "
        "exactly | absolutely | indeed | of course | got it | true | ha | haha | ha ha | heh | "
        "that's right | that's true | that's good | that's great | sounds good | "
        "i know | i understand | really"
    ),
    objections=_words(
        "stop | no | nope | wait | hold on | hang on | hold up | one moment | one second | "
        "just a moment | just a second | excuse me | sorry | pardon | hello | hey | listen | "
        "what | but | actually | never mind | enough | quiet | shut up"
    ),
    farewells=_words("bye | goodbye | bye bye | thank you | thanks | thank you bye | thanks bye"),
    greetings=_words("hello | hi | yes | yeah | hey | hello hello | yes hello"),
    openers=_words(
        "sure | okay | ok | of course | certainly | absolutely | all right | alright | right | "
        "yes | no | good | great | perfect | fine | well | i see | got it | understood | "
        "no problem | let me see | let me check | one moment | thank you | thanks"
    ),
)

_SPANISH = Phrases(
    repeat="perdón, no le he entendido. ¿puede repetirlo?",
    are_you_there="¿sigue ahí?",
    nobody_there="no le oigo. gracias, adiós.",
    nobody_there_yet="no le oigo, así que llamaré en otro momento. adiós.",
    time_up="lo siento, se nos acaba el tiempo. gracias, adiós.",
    one_moment="un momento, por favor.",
    tool_trouble="lo siento, ahora mismo no es posible.",
    greeting="hola, ¿tiene un momento?",
    voicemail="hola. he llamado y no le he encontrado. llámenos cuando pueda, por favor. adiós.",
    at_a_loss="perdone, he perdido el hilo. ¿puede decírmelo otra vez?",
    apology="lo siento, tengo un problema técnico. adiós.",
    apology_for_now="lo siento, tengo un problema técnico. le volveremos a llamar. adiós.",
    backchannels=_words(
        "ajá | mm | mhm | mmm | hm | vale | claro | claro que sí | ya | ya veo | bueno | ah | eh | "
        "oh | uh | um | ok | okay | de acuerdo | sí | bien | muy bien | perfecto | genial | "
        "exacto | exactamente | entiendo | entendido | por supuesto | verdad | ja | jaja | ja ja"
    ),
    objections=_words(
        "pare | para | no | espere | espera | un momento | un segundo | perdón | perdone | "
        "disculpe | oiga | oye | hola | escuche | qué | cómo | pero | basta"
    ),
    farewells=_words("adiós | gracias | gracias adiós | hasta luego | chao"),
    greetings=_words("hola | sí | diga | dígame | bueno | aló"),
    openers=_words(
        "claro | claro que sí | por supuesto | desde luego | de acuerdo | vale | sí | no | bien | "
        "muy bien | bueno | perfecto | estupendo | genial | entendido | ya veo | a ver | "
        "déjeme ver | un momento | sin problema | gracias"
    ),
)

_BY_LANGUAGE: Mapping[str, Phrases] = {"en": _ENGLISH, "es": _SPANISH}


def phrases(language: str) -> Phrases:
    """The phrases of a language, by its code or tag; English where it has none."""
    return _BY_LANGUAGE.get(language_code(language), _ENGLISH)


def language_code(tag: str) -> str:
    """The ISO 639-1 code of a BCP 47 tag: `es-MX` → `es`."""
    return tag.replace("_", "-").partition("-")[0].lower()


def consists_of(words: str, lines: frozenset[str]) -> bool:
    """Whether plain words are one or more of these lines after each other ("okay thanks bye")."""
    spoken = words.split()
    longest = max((len(line.split()) for line in lines), default=0)
    ends = {0}
    for start in range(len(spoken)):
        if start in ends:
            for end in range(start + 1, start + longest + 1):
                if " ".join(spoken[start:end]) in lines:
                    ends.add(end)
    return bool(spoken) and len(spoken) in ends


def plain_words(text: str) -> str:
    """Lower-case words only, single spaces: what the word lists are compared with."""
    return " ".join(re.findall(r"[\w']+", text.lower()))
