"""Questions that an agent can answer: few in the prompt, many looked up."""

import pytest

from tests.voice_loop.scripted import PhoneCall
from voice_loop.config import ConversationConfig
from voice_loop.faq import Faq
from voice_loop.prompts import CALL_ANSWERED, recalled_text

FEW = (("When are you open?", "From nine to five."), ("Where are you?", "Main street."))
FILLER = "It depends on many things that we like to explain at length. " * 4
MANY = (
    *FEW,
    ("Do you take credit cards?", "Yes, all of them."),
    ("Can I bring my dog?", "Only a small dog."),
    *((f"What about case {number}?", FILLER) for number in range(30)),
)


@pytest.mark.rows("RV-38")
def test_a_few_stand_in_the_prompt_and_are_not_looked_up() -> None:
    faq = Faq(FEW)
    assert faq.standing == FEW
    assert faq.about("when are you open") == []


@pytest.mark.rows("RV-38")
@pytest.mark.parametrize(
    ("said", "question"),
    [
        ("so when are you open on fridays", "When are you open?"),
        ("can i bring my dog along", "Can I bring my dog?"),
        ("do you take credit cards", "Do you take credit cards?"),
        ("it is about case 17", "What about case 17?"),
    ],
)
def test_of_many_those_that_fit_are_looked_up(said: str, question: str) -> None:
    faq = Faq(MANY)
    assert faq.standing == ()
    found = faq.about(said)
    assert found[0][0] == question
    assert len(found) <= 3
    assert sum(len(text) for item in found for text in item) <= 4_000


@pytest.mark.parametrize("said", ["", "mm", "bonjour", "thank you"])
def test_what_fits_none_brings_none(said: str) -> None:
    assert Faq(MANY).about(said) == []
    assert Faq(()).about(said) == []


def test_an_answer_that_is_too_long_for_a_turn_is_left_out() -> None:
    faq = Faq([("Where is the car park?", "x" * 4_000), ("Is the car park free?", "Yes.")])
    assert faq.about("is the car park free") == [("Is the car park free?", "Yes.")]
    longer = Faq([*MANY, ("Where is the lift?", "x" * 4_000)])
    assert "Where is the lift?" not in dict(longer.about("where is the lift"))


async def test_what_was_looked_up_is_known_for_one_answer_and_not_kept() -> None:
    asked = "do you take credit cards"
    (known, *_) = found = Faq(MANY).about(asked)
    answers = {f"{asked} {recalled_text(found)}": "yes, all of them."}
    call = await PhoneCall(answers, config=ConversationConfig("talk", faq=MANY)).answer()
    await call.hears_out()
    await call.says(asked)
    await call.hears_out()
    assert known[1] == "Yes, all of them."
    assert call.said[-1] == ("agent", "yes, all of them.")
    await call.says_and_waits("thank you")
    assert [text for role, text in call.last_history if role == "user"] == [
        CALL_ANSWERED,
        asked,
        "thank you",
    ]
