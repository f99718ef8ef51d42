"""What the agent's words make one expect of the answer."""

import pytest

from voice_loop.expectations import Expected, expected_after


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Hello, this is Ada of the dental practice.", Expected.ANYTHING),
        ("What colour is it?", Expected.ANYTHING),
        ("How can I help you today?", Expected.STORY),
        ("Can you make it on Monday?", Expected.YES_OR_NO),
        ("Hello, this is North Dental. Am I speaking with Maria Lopez?", Expected.YES_OR_NO),
        ("Is this the best number to reach you?", Expected.YES_OR_NO),
        ("You have a visit on Tuesday, right?", Expected.YES_OR_NO),
        ("How many people are you?", Expected.AMOUNT),
        ("What day suits you?", Expected.AMOUNT),
        ("Could I have your phone number, please?", Expected.PHONE_NUMBER),
        ("What number can we reach you at?", Expected.PHONE_NUMBER),
        ("Please tell me your phone number.", Expected.PHONE_NUMBER),
        ("Can you give me your order number?", Expected.CODE),
        ("May I have your e-mail address?", Expected.EMAIL),
        ("What’s your zip code?", Expected.POSTCODE),
        ("Could you spell your last name?", Expected.SPELLING),
        ("And what is your address?", Expected.ADDRESS),
        ("What is your phone number? You may take your time.", Expected.PHONE_NUMBER),
    ],
)
def test_english_questions(said: str, expected: Expected) -> None:
    assert expected_after(said, "en-US") is expected
    assert expected_after(said.lower(), "en") is expected
    assert expected_after(said, "nl") is Expected.ANYTHING, "nothing is known of that language"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Buenos días, soy Ada.", Expected.ANYTHING),
        ("¿En qué puedo ayudarle?", Expected.STORY),
        ("¿Le viene bien el martes?", Expected.YES_OR_NO),
        ("Hola, ¿hablo con María?", Expected.YES_OR_NO),
        ("¿Cuál es su número de teléfono?", Expected.PHONE_NUMBER),
        ("¿Puede darme su código postal?", Expected.POSTCODE),
        ("¿A qué hora le conviene?", Expected.AMOUNT),
        ("Deletree su apellido, por favor.", Expected.SPELLING),
    ],
)
def test_spanish_questions(said: str, expected: Expected) -> None:
    assert expected_after(said, "es-MX") is expected


def test_what_was_asked_before_the_last_question_counts_no_more() -> None:
    said = "What is your phone number? Or would you like to be called on this one?"
    assert expected_after(said, "en") is Expected.YES_OR_NO
