"""The starter language model with what agents have beside a task: it holds the same call."""

import pytest

from models.load import STARTER_DIR
from models.training.llama_score import Scorer
from tests.models.test_starter_llama import CONTEXT, DEMO_CALLS, TASK
from voice_loop.prompts import CALL_ANSWERED, Message, system_prompt

pytestmark = pytest.mark.bed  # an engine of its own

PERSONA = (
    "You are Ada, the friendly assistant of North Dental. You are warm and professional, and you "
    "never push people. If they are in a hurry, keep it very short."
)
FAQ = [
    ("When are you open?", "From nine to five, Monday to Friday."),
    ("Where are you?", "Main street 5, second floor."),
    ("Do you take insurance?", "Yes, all of them."),
]


@pytest.mark.rows("CB-31", "RV-38")
@pytest.mark.parametrize(("persona", "faq"), [(PERSONA, []), ("", FAQ)], ids=["persona", "faq"])
def test_the_demo_call_with_a_persona_or_questions(
    persona: str, faq: list[tuple[str, str]]
) -> None:
    scorer = Scorer(STARTER_DIR / "llama.gguf")
    system = system_prompt(TASK, CONTEXT, persona=persona, faq=faq)
    exchanges: list[tuple[str, str]] = DEMO_CALLS[1].values[0]  # type: ignore[assignment]
    messages: list[Message] = [{"role": "system", "content": system}]
    for said, wanted in exchanges:
        text = said if len(messages) > 1 else f"{CALL_ANSWERED} {said}"
        messages.append({"role": "user", "content": text})
        assert scorer.answer(messages) == wanted
        messages.append({"role": "assistant", "content": wanted})
