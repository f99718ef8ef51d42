"""Who does not want to be recorded is understood, and nobody else is taken for it."""

import pytest

from api.calls.objections import objection_in

OBJECTIONS = {
    "en": [
        "Please don't record this call.",
        "I don't want to be recorded.",
        "Could you stop recording, please?",
        "Turn off the recording.",
        "Can you turn the recording off?",
        "I do not want this conversation to be recorded, thank you.",
        "I'd rather not be recorded.",
        "I would prefer that you didn't record this.",
        "No recording, please!",
        "I object to being recorded.",
        "I’m not comfortable with you recording me.",
        "I do not consent to this being recorded.",
        "Only if this is without being recorded.",
        "You are not allowed to record me.",
        "Delete that recording.",
        "Hello? Do not record me. Who is this?",
    ],
    "es": [
        "Por favor, no grabe la llamada.",
        "No quiero que me graben.",
        "No quiero ser grabado.",
        "Pare la grabación.",
        "Prefiero hablar sin grabación.",
        "No autorizo la grabación de esta llamada.",
    ],
    "de": [
        "Bitte nicht aufzeichnen.",
        "Ich möchte nicht, dass das Gespräch aufgezeichnet wird.",
        "Ich will nicht aufgenommen werden.",
        "Keine Aufzeichnung, bitte.",
        "Stoppen Sie bitte die Aufnahme.",
        "Ich widerspreche der Aufzeichnung.",
        "Nehmen Sie das Gespräch nicht auf.",
        "Mit der Aufzeichnung bin ich nicht einverstanden.",
    ],
    "fr": [
        "N'enregistrez pas cet appel.",
        "Je ne veux pas être enregistré.",
        "Ne m'enregistrez pas.",
        "Arrêtez l'enregistrement.",
        "Pas d'enregistrement, s'il vous plaît.",
        "Je m'oppose à l'enregistrement.",
    ],
    "it": [
        "Non registri la chiamata.",
        "Non voglio essere registrata.",
        "Interrompa la registrazione.",
        "Non acconsento alla registrazione.",
    ],
    "pt": [
        "Não grave esta chamada.",
        "Não quero ser gravado.",
        "Pare a gravação, por favor.",
        "Não autorizo a gravação.",
    ],
    "nl": [
        "Niet opnemen alstublieft.",
        "Ik wil niet dat dit gesprek opgenomen wordt.",
        "Stop de opname.",
        "Ik heb bezwaar tegen de opname.",
    ],
}
NONE = {
    "en": [
        "Yes, speaking.",
        "Is this call recorded?",
        "You did not record my order, did you?",
        "I don't mind being recorded.",
        "I have no record of that.",
        "I don't have that record here.",
        "It's for the medical records.",
        "My record is clean, I do not owe anything.",
        "Fine, go ahead and record.",
        "I recorded a message yesterday and nobody called me back.",
        "I don't want to order any records.",
        "No, the meeting was recorded yesterday.",
    ],
    "es": ["Sí, de acuerdo.", "¿Graban la llamada?", "No tengo la grabación."],
    "de": [
        "Ja, gern.",
        "Wird das aufgezeichnet?",
        "Das wurde gestern aufgenommen.",
        "Kein Problem.",
    ],
    "fr": ["Oui, d'accord.", "C'est enregistré ?", "Vous n'avez pas enregistré ma commande."],
    "it": ["Sì, va bene.", "È registrata?"],
    "pt": ["Sim, tudo bem.", "Está a gravar?"],
    "nl": ["Ja hoor.", "Wordt dit opgenomen?"],
}


@pytest.mark.parametrize(
    ("language", "text"), [(code, one) for code, texts in OBJECTIONS.items() for one in texts]
)
def test_an_objection_is_understood(language: str, text: str) -> None:
    assert objection_in(text, f"{language}-XX") is not None


@pytest.mark.parametrize(
    ("language", "text"), [(code, one) for code, texts in NONE.items() for one in texts]
)
def test_what_is_none_is_let_pass(language: str, text: str) -> None:
    assert objection_in(text, language) is None


def test_the_words_are_told() -> None:
    assert objection_in("Well, please DON'T record this.", "en") == "don't record"
    assert objection_in("bitte don't record me", "sv") == "don't record"
