"""What machines say, in several languages and as recognisers mishear it, and what people say."""

import pytest

from voice_loop.answering.phrases import Kind, kinds_of, plain
from voice_loop.answering.watch import AnswerConfig, AnswerWatch, Who


def test_case_accents_and_punctuation_are_left_out() -> None:
    assert plain("Après le SIGNAL, s’il vous plaît!") == "apres le signal s'il vous plait"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Please leave your message after the tone.", "invite"),
        ("Please leave a massage at the town.", "tone"),
        ("Hi, this is Sam. I'm not available right now.", "machine"),
        ("You've reached the voicemail of Ana Lopez", "machine"),
        ("Nobody is available to take your call", "machine"),
        ("The mailbox is full and cannot accept any messages", "full"),
        ("The number you have dialed is not in service.", "unavailable"),
        ("For sales, press 1. For support, press two.", "menu"),
        ("Please state your name and the reason for your call", "screening"),
        (
            "If you record your name and reason for calling, I'll see if he is available",
            "screening",
        ),
        ("All our agents are busy. Please stay on the line.", "hold"),
        ("This call may be recorded", "recorded"),
        ("Lopez dental practice, how can I help you?", "person"),
        ("Por favor deje su mensaje después del tono.", "invite"),
        ("El número que usted ha marcado está fuera de servicio", "unavailable"),
        ("Para ventas, oprima uno", "menu"),
        ("Veuillez laisser votre message après le bip sonore", "invite"),
        ("Tous nos conseillers sont occupés, veuillez patienter", "hold"),
        ("Lasciate un messaggio dopo il segnale acustico", "invite"),
        ("Prema uno per le vendite", "menu"),
        ("Оставьте сообщение после сигнала", "invite"),
        ("Все наши операторы заняты. Оставайтесь на линии", "hold"),
        ("Bitte hinterlassen Sie eine Nachricht nach dem Signalton", "invite"),
        ("Kein Anschluss unter dieser Nummer", "unavailable"),
        ("Deixe a sua mensagem após o sinal", "invite"),
        ("Spreek een bericht in na de piep", "invite"),
        ("Zostaw wiadomość po sygnale", "invite"),
        ("発信音のあとにメッセージをお願いします", "tone"),
        ("您拨打的电话已关机", "unavailable"),
    ],
)
def test_what_machines_say(text: str, kind: Kind) -> None:
    assert kind in kinds_of(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("please leave a message and press pound when you are done", "voicemail"),
        ("press five to leave a message", "menu"),
        ("to leave a message press five", "menu"),
        ("for sales press one to leave a message press two", "menu"),
        ("leave your message after the tone then hang up or press one or two", "voicemail"),
        ("the mailbox is full please hold", "voicemail"),
        ("all agents are busy nobody can take your call please stay on the line", "hold_queue"),
        ("the number you have dialed is not in service", "unavailable"),
        ("state your name and the reason for calling", "screening"),
    ],
)
def test_of_several_machines_the_likelier_one_says_it(text: str, found: Who) -> None:
    watch = AnswerWatch(8000, AnswerConfig())
    watch.words(text, sure=True, whole=True)
    assert watch.answerer.who == found


@pytest.mark.parametrize(
    "text",
    [
        "hello?",
        "yes speaking",
        "hi this is bob",
        "good morning lopez dental practice this is ana",
        "i'd like a medium latte with oat milk please and a croissant",
        "can you take a note of my number please",
        "who is this",
        "you have reached the right person",
        "monday is not available",
        "the person in charge is at lunch",
        "one moment i'll get him",
        "hola quién es",
        "sí soy yo",
        "pronto chi parla",
        "allô oui bonjour",
        "да слушаю вас",
        "ja hallo hier ist schmidt",
        "もしもし",
        "喂你好",
    ],
)
def test_what_people_say(text: str) -> None:
    assert not kinds_of(text) - {"person"}
