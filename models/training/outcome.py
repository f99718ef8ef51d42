"""What a call of the starter domain came to: the right answer to `analysis_messages`."""

from models.training.phrases import PLACES
from models.training.script import Script
from voice_loop.prompts import Outcome

#: Intents in which nothing is said on the matter.
BESIDE_THE_POINT = frozenset(
    {
        "hello", "who", "repeat", "about", "why", "annoyed", "robot", "offtopic", "back", "wait",
        "where", "when", "bye", "identity_yes", "yes_who",
    }
)  # fmt: skip

NO_MORE_CALLS = "they want no more calls."
_OTHER_NUMBER = "they asked for another number."
_LATER = "they asked for a later call."
_UNDECIDED = "they could not decide yet."
_WRONG_NUMBER = "it was a wrong number."
_CANCELLED = "they cancelled the appointment."
_REFUSED = "they did not want to take part."
_NO = "they said no."
_AGREED = "they agreed on "
_RATED = "they rated us "
_COMES = "the parcel comes on "
_LEFT = "the parcel is left "
_WILLING = "they were willing, but "
_BROKE_OFF = "the call ended early."

#: What summaries are made of, beside values that were said.
SUMMARY_TEXTS = (
    NO_MORE_CALLS, _OTHER_NUMBER, _LATER, _UNDECIDED, _WRONG_NUMBER, _CANCELLED, _REFUSED, _NO,
    _AGREED, _RATED, _COMES, _LEFT, _WILLING, _BROKE_OFF,
)  # fmt: skip


def judge(agent: Script) -> tuple[Outcome | None, str]:
    """The outcome and its summary, from where the agent's side came to."""
    match agent.ended_by:
        case "stop":
            return "do_not_contact", NO_MORE_CALLS
        case "other_number":
            return "requested_callback_new_number", _OTHER_NUMBER
        case "busy" | "not_now":
            return "requested_callback_later", _LATER
        case "unsure":
            return "requested_callback_later", _UNDECIDED
        case "wrong" | "identity_no" | "not_mine":
            return None, _WRONG_NUMBER
        case "cancel":
            return "not_interested", _CANCELLED
        case "refuse":
            return "not_interested", _REFUSED
        case None | "bye":
            return _broken_off(agent)
        case _:
            return "completed", _done(agent)


def _broken_off(agent: Script) -> tuple[Outcome | None, str]:
    if agent.scenario == "delivery":
        willing, declined = agent.agreed is True, False
    elif agent.scenario == "survey":
        willing, declined = agent.number is not None, False
    else:
        willing = agent.day is not None or agent.time is not None
        declined = agent.agreed is False
    if willing:
        return "interested", _WILLING + _BROKE_OFF
    return ("not_interested", _NO) if declined else (None, _BROKE_OFF)


def _done(agent: Script) -> str:
    if agent.scenario == "appointment":
        return f"{_AGREED}{agent.day} at {agent.time}."
    if agent.scenario == "survey":
        return f"{_RATED}{agent.number} out of ten."
    if agent.place is not None:
        return f"{_LEFT}{PLACES[agent.place]}."
    at = "" if agent.time is None else f" at {agent.time}"
    return f"{_COMES}{agent.context['day']}{at}."
