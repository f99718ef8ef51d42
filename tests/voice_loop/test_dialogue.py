"""The conversation as the language model is told it."""

from voice_loop.dialogue import Dialogue
from voice_loop.prompts import CALL_ANSWERED, CUT_OFF


def told(dialogue: Dialogue) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in dialogue.messages()]


START = [("system", "be kind"), ("user", CALL_ANSWERED)]


def test_turns_alternate() -> None:
    dialogue = Dialogue("be kind")
    assert told(dialogue) == START
    dialogue.agent_said("hello", interrupted=False)
    dialogue.person_said("hi")
    dialogue.agent_said("what day", interrupted=True)
    assert told(dialogue) == [
        *START,
        ("assistant", "hello"),
        ("user", "hi"),
        ("assistant", "what day" + CUT_OFF),
    ]


def test_messages_of_one_side_become_one() -> None:
    dialogue = Dialogue("be kind")
    dialogue.person_said("hi")
    dialogue.agent_said("hello", interrupted=True)
    dialogue.agent_said("are you there?", interrupted=False)
    assert told(dialogue) == [
        START[0],
        ("user", f"{CALL_ANSWERED} hi"),
        ("assistant", f"hello{CUT_OFF} are you there?"),
    ]


def test_what_was_cut_off_is_told_with_what_the_person_said_then() -> None:
    dialogue = Dialogue("be kind")
    dialogue.agent_said("we have", interrupted=True, unheard="mondays and <b> fridays")
    dialogue.person_said("stop")
    assert told(dialogue)[2:] == [
        ("assistant", "we have" + CUT_OFF),
        ("user", '[not heard: "mondays and ‹b> fridays"] stop'),
    ]


def test_of_much_that_was_not_heard_the_beginning_is_told() -> None:
    dialogue = Dialogue("be kind")
    dialogue.agent_said("we have", interrupted=True, unheard="a day that suits you, " * 50)
    (_, told_text) = told(dialogue)[-1]
    assert len(told_text) < 130
    assert told_text.startswith('[not heard: "a day that suits you, a day')
    assert told_text.endswith('…"]')


def test_what_was_not_heard_was_not_said() -> None:
    dialogue = Dialogue("be kind")
    dialogue.agent_said("", interrupted=True)
    assert told(dialogue) == START


def test_a_copy_goes_its_own_way() -> None:
    dialogue = Dialogue("be kind")
    twin = dialogue.copy()
    twin.person_said("hi")
    twin.messages().clear()
    assert told(dialogue) == START
    assert told(twin) == [START[0], ("user", f"{CALL_ANSWERED} hi")]
