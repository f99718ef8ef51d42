"""The conversation that the starter models can hold: a seeded generator of phone dialogues.

Three scenarios: an appointment to confirm, move or cancel; a short survey; a delivery. The agent's
side is a function of what was said so far, so that a model can be scored exactly. The person's
side is drawn from `phrases`. Pure Python; shared by the training of the language model (`llama`)
and of the speech recogniser.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from models.training.outcome import BESIDE_THE_POINT, NO_MORE_CALLS, judge
from models.training.phrases import (
    CALLER_TIMES,
    DAYS,
    NUMBERS,
    PLACES,
    Split,
    held_pair,
    utter,
)
from models.training.script import Result, Scenario, Script
from voice_loop.phrases import phrases
from voice_loop.prompts import CALL_ANSWERED, CUT_OFF, END_CALL, Message, system_prompt

SCENARIOS: tuple[Scenario, ...] = ("appointment", "survey", "delivery")

TASKS: Mapping[Scenario, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "appointment": (
        ("confirm the appointment.", "call to confirm the appointment.",
         "ask whether the appointment is fine.", "check the appointment.",
         "make sure that the appointment suits.",
         "find out if the person can come to the appointment.",
         "confirm or move the appointment.", "please check the appointment.",
         "confirm this appointment.", "please call and confirm the appointment.",
         "remind the person of the appointment and confirm it.",
         "find out if the appointment suits.",
         "ask if the person can come to this appointment.", "appointment confirmation.",
         "call about the appointment.", "ask the patient to confirm the appointment.",
         "ask the customer whether the appointment works.", "arrange the appointment.",
         "agree on the appointment.", "please make sure that the appointment works."),
        ("please confirm this appointment.", "call and check the appointment.",
         "find out if the appointment is fine."),
    ),
    "survey": (
        ("ask how the last visit was.", "make a short survey.", "ask for a rating of our service.",
         "find out how the person rates our service.", "do a survey about the last visit.",
         "ask two survey questions.", "get a rating from one to ten.", "please ask for a rating.",
         "call and ask how the last visit was.", "find out how happy the customer is.",
         "please call for a short survey.", "ask the customer to rate our service.",
         "customer survey.", "ask the person to rate the last visit.", "do a customer survey.",
         "call about the last visit.", "find out how the customer rates us.",
         "please make a survey about our service.", "ask what the customer thinks of our service.",
         "find out if the customer was happy with the last visit."),
        ("please do a short survey.", "call and ask for a rating.",
         "find out how the last visit was."),
    ),
    "delivery": (
        ("arrange the delivery.", "find out if somebody is at home for the delivery.",
         "agree on the delivery of the parcel.", "ask when the parcel can be delivered.",
         "ask where to leave the parcel.", "make sure that the delivery works.",
         "call about the parcel.", "please call about the delivery.", "parcel delivery.",
         "find out if somebody is at home.", "please ask where to leave the parcel.",
         "find out when somebody can take the delivery.", "please agree on the delivery.",
         "call and arrange the delivery.", "ask whether the person is at home for the parcel.",
         "ask the customer about the parcel delivery.", "deliver the parcel.",
         "tell the customer about the parcel and agree on a time.",
         "arrange when the parcel comes.",
         "call the customer about a delivery."),
        ("please arrange the parcel delivery.", "call and agree on the delivery.",
         "find out if somebody can take the parcel."),
    ),
}  # fmt: skip
TASK_ENDINGS: Mapping[Scenario, tuple[str, ...]] = {
    "appointment": (
        "", "", " if the time does not suit, agree on another one.",
        " if it does not suit, agree on another day.", " otherwise find a new time.",
        " cancel it if the person wants to.", " be polite.",
    ),
    "survey": (
        "", "", " ask if they would recommend us.",
        " then ask whether they recommend us to a friend.",
        " be polite.", " keep it short.",
    ),
    "delivery": (
        "", "", " if nobody is at home, ask where to leave it.", " agree on a time or a place.",
        " be polite.", " keep it short.",
    ),
}  # fmt: skip

RETURNS: Mapping[Scenario, Mapping[str, str]] = {
    "appointment": {"confirmed": "boolean", "day": "string", "time": "string"},
    "survey": {"rating": "integer", "recommend": "boolean"},
    "delivery": {"at_home": "boolean", "place": "string", "time": "string"},
}

#: Names that exist: the only ones in what the speech recogniser learns of the agent's lines.
FAMILIAR_NAMES = (
    "maria lopez", "john miller", "anna brown", "peter young", "laura king", "david hill",
    "emma stone", "robert green", "julia baker", "kevin west",
)  # fmt: skip
FAMILIAR_COMPANIES = (
    "north dental", "city garage", "green clinic", "river bank", "west delivery", "sun travel",
    "park hotel", "home energy",
)  # fmt: skip
_TRADES = (
    "dental", "garage", "clinic", "bank", "delivery", "travel", "hotel", "energy", "salon",
    "insurance", "motors", "express", "parcels", "telecom", "opticians", "health", "logistics",
    "repairs", "foods", "services",
)  # fmt: skip
_CITY_WORDS = (
    "north", "south", "east", "west", "city", "green", "river", "sun", "park", "home", "blue",
    "central", "royal", "first", "smart", "happy", "new", "golden",
)  # fmt: skip
_STREETS = ("street", "road", "avenue", "lane", "square", "way")
_FIXED = phrases("en")
_BACKCHANNELS = ("okay", "sure", "right", "oh", "um", "uh")
_FAMILIAR_STREETS = ("main street", "park road", "river lane", "green square")
_MINUTES = ("", " fifteen", " thirty", " forty five")
_HOURS = ("eight", "nine", "ten", "one", "two", "three", "four", "five", "six")
_HOUSE_NUMBERS = (
    "one", "two", "three", "four", "five", "six", "eight", "nine", "ten", "twelve", "twenty",
    "twenty one", "thirty", "forty two", "fifty",
)  # fmt: skip
_SERVICES = ("cleaning", "check up", "haircut", "repair", "inspection", "consultation", "eye test")

_ONSETS = (
    "b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pr",
    "r", "s", "sh", "st", "t", "th", "tr", "v", "w", "y", "z", "",
)  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ee", "ia", "ou", "ea")
_CODAS = ("", "", "", "n", "r", "l", "s", "m", "t", "ck", "nd", "th", "x", "sen", "ton", "man", "z")


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as the conversation keeps it.

    Attributes:
        speaker: who.
        text: what was heard; ends with `CUT_OFF` where the person interrupted.
        ends_call: the agent calls the tool after it.
        cut: the person interrupted, so the text is not what the agent should have said.
        in_history: the language model is told; False for the loop's own fixed lines and for
            what was not understood, which only the transcript has.
    """

    speaker: Literal["agent", "person"]
    text: str
    ends_call: bool = False
    cut: bool = False
    in_history: bool = True


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One whole call with its typed result, and what is to be said of it."""

    scenario: Scenario
    task: str
    context: dict[str, str]
    returns: dict[str, str]
    turns: tuple[Turn, ...]
    result: Result
    analysis: dict[str, str | None]


#: What the agent waits for -> intents that answer it, with weights.
_ANSWERS: Mapping[str, Mapping[str, float]] = {
    "identity": {"identity_yes": 8, "yes_who": 1, "identity_no": 0.5},
    "confirm": {"yes": 5, "no": 3, "cancel": 1.2, "offer_both": 2.5, "offer_day": 1.5,
                "offer_time": 1.5},
    "day": {"say_day": 4, "say_both": 4, "cancel": 0.7, "unsure": 0.7},
    "time": {"say_time": 8, "cancel": 0.5, "unsure": 0.5, "fix_day": 0.7},
    "check": {"yes": 7, "wrong_slot": 1, "fix_day": 1, "fix_time": 1, "cancel": 0.3},
    "rating": {"rate": 8, "yes": 0.7, "refuse": 1.2},
    "recommend": {"recommend_yes": 4, "recommend_no": 4, "fix_rate": 0.8},
    "home": {"home_yes": 4, "home_no": 4, "home_time": 1.5, "leave": 1.5, "not_mine": 0.5},
    "home_time": {"say_time": 7, "any_time": 1.5},
    "place": {"say_place": 8},
}  # fmt: skip
_ASIDES: Mapping[str, float] = {
    "hello": 3, "who": 3, "repeat": 4, "about": 2, "busy": 1.2, "wait": 1.5, "robot": 1.2,
    "offtopic": 2, "bye": 0.8, "wrong": 1,
}  # fmt: skip
_SCENARIO_ASIDES: Mapping[Scenario, Mapping[str, float]] = {
    "appointment": {"where": 1.5, "when": 2.5},
    "survey": {"why": 2},
    "delivery": {"where": 1, "when": 1.5},
}

#: What people say, or do, at any time that ordinary calls hardly have.
RARE = ("stop", "stop", "other_number", "other_number", "not_now", "annoyed", "bye", "hang_up")


def _pick(rng: random.Random, weights: Mapping[str, float]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _made_up(rng: random.Random, syllables: int) -> str:
    return "".join(
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables)
    )


def _word(rng: random.Random, split: Split) -> str:
    """A made-up word, sometimes of random letters; no word belongs to both splits."""
    while True:
        if rng.random() < 0.15:
            word = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 6)))
        else:
            word = _made_up(rng, rng.choice((1, 2, 2, 2, 3)))
        if 3 <= len(word) <= 10 and (hash_bucket(word) == 0) == (split == "heldout"):
            return word


def hash_bucket(word: str) -> int:
    """One of eight buckets, the same on every machine; bucket 0 is held out."""
    value = 0
    for char in word:
        value = (value * 31 + ord(char)) % 1_000_003
    return value % 8


def _name(rng: random.Random, split: Split) -> str:
    if split == "train" and rng.random() < 0.15:
        return rng.choice(FAMILIAR_NAMES)
    words = [_word(rng, split) for _ in range(rng.choice((1, 2, 2)))]
    return " ".join(words)


def _company(rng: random.Random, split: Split) -> str:
    roll = rng.random()
    if split == "train" and roll < 0.15:
        return rng.choice(FAMILIAR_COMPANIES)
    if split == "train" and roll < 0.35:
        return f"{rng.choice(_CITY_WORDS)} {rng.choice(_TRADES)}"
    words = [_word(rng, split)]
    if rng.random() < 0.2:
        words.append(_word(rng, split))
    if rng.random() < 0.8:
        words.append(rng.choice(_TRADES))
    return " ".join(words)


def _day_time(rng: random.Random, split: Split, times: tuple[str, ...]) -> tuple[str, str]:
    while True:
        day, time = rng.choice(DAYS), rng.choice(times)
        if held_pair(day, time) == (split == "heldout"):
            return day, time


def _all_times() -> tuple[str, ...]:
    return tuple(
        f"{hour}{minutes} {'a m' if hour in ('eight', 'nine', 'ten') else 'p m'}"
        for hour in _HOURS
        for minutes in _MINUTES
    )


CONTEXT_TIMES = _all_times()


def _context(rng: random.Random, scenario: Scenario, split: Split) -> dict[str, str]:
    day, time = _day_time(rng, split, CONTEXT_TIMES)
    context = {"company": _company(rng, split)}
    if rng.random() < 0.93:
        context["name"] = _name(rng, split)
    if scenario != "survey" or rng.random() < 0.2:
        context["day"] = day
    if scenario == "appointment" or rng.random() < 0.1:
        context["time"] = time
    if rng.random() < (0.6 if scenario == "delivery" else 0.2):
        street = f"{_word(rng, split)} {rng.choice(_STREETS)}"
        context["address"] = f"{rng.choice(_HOUSE_NUMBERS)} {street}"
    if rng.random() < 0.12:
        context["service"] = rng.choice(_SERVICES)
    for key in ("agent", "city", "doctor", "reference"):
        if rng.random() < 0.06:
            context[key] = _word(rng, split)
    return context


def _returns(rng: random.Random, scenario: Scenario) -> dict[str, str]:
    returns = dict(RETURNS[scenario])
    if rng.random() < 0.2:
        returns.pop(rng.choice(list(returns)))
    for extra in ("callback", "wrong_number"):
        if rng.random() < 0.12:
            returns[extra] = "boolean"
    return dict(sorted(returns.items()))


def _task(rng: random.Random, scenario: Scenario, split: Split) -> str:
    known, held = TASKS[scenario]
    return rng.choice(held if split == "heldout" else known) + rng.choice(TASK_ENDINGS[scenario])


def _person(
    rng: random.Random, split: Split, agent: Script, answers: Mapping[str, float]
) -> tuple[str, dict[str, str]]:
    """What the person means next: intent and slot values."""
    if rng.random() < 0.2:
        intent = _pick(rng, {**_ASIDES, **_SCENARIO_ASIDES[agent.scenario]})
    else:
        intent = _pick(rng, answers)
    if agent.waits_for == "identity" and intent in ("where", "when", "why"):
        intent = "about"
    day, time = _day_time(rng, split, CALLER_TIMES)
    if intent == "fix_day" and agent.day == day:
        intent = "repeat"
    if intent == "fix_time" and agent.time == time:
        intent = "repeat"
    place = rng.choice(list(PLACES))
    return intent, {"day": day, "time": time, "number": rng.choice(NUMBERS), "place": place}


def _say(rng: random.Random, split: Split, intent: str, slots: Mapping[str, str]) -> Turn:
    return Turn("person", utter(rng, intent, split, {**slots, "place": PLACES[slots["place"]]}))


def _misunderstanding(
    rng: random.Random, split: Split, agent: Script, answers: Mapping[str, float]
) -> list[Turn]:
    """What the loop does without the language model: it asks again, or breaks a silence."""
    if rng.random() < 0.4:
        return [Turn("agent", _FIXED.are_you_there, in_history=False)]
    unclear = _say(rng, split, *_person(rng, split, agent, answers))
    return [replace(unclear, in_history=False), Turn("agent", _FIXED.repeat, in_history=False)]


def _cut(rng: random.Random, text: str) -> str:
    words = text.split()
    return " ".join(words[: rng.randint(1, len(words) - 1)]) + CUT_OFF


def _dialogue(
    rng: random.Random,
    scenario: Scenario,
    split: Split,
    *,
    familiar: bool = False,
    rare: str | None = None,
) -> Dialogue:
    context = _context(rng, scenario, split)
    if familiar:
        context = _make_familiar(rng, context)
    agent = Script(scenario, context)
    turns: list[Turn] = []
    if rng.random() < 0.6:
        first = rng.choice(("hello", "hello", "hello", "who", "identity_yes"))
        turns.append(Turn("person", utter(rng, first, split, {})))
    turns.append(Turn("agent", agent.greet()))
    hang_up = rng.random() < 0.06
    waiting = False
    quote: str | None = None
    while not agent.done and len(turns) < 18:
        if rng.random() < 0.08 and not waiting and turns[-1].in_history:
            turns[-1] = replace(turns[-1], text=_cut(rng, turns[-1].text), cut=True)
        if hang_up and rng.random() < 0.4:
            if rng.random() < 0.5:
                last_words = rng.choice(
                    (_FIXED.nobody_there_yet, _FIXED.time_up, _FIXED.apology_for_now)
                )
                turns.append(Turn("agent", last_words, in_history=False))
            break
        answers = {"back": 1.0} if waiting else _ANSWERS[agent.waits_for]
        intent, slots = _person(rng, split, agent, answers)
        if rare is not None and rng.random() < 0.35:
            if rare == "hang_up":
                break
            intent, rare = rare, None
        if rng.random() < 0.08:
            turns += _misunderstanding(rng, split, agent, answers)
        turns.append(_say(rng, split, intent, slots))
        if intent not in BESIDE_THE_POINT:
            quote = turns[-1].text
        if rng.random() < 0.04:
            # They went on before the answer was heard.
            turns.append(_say(rng, split, intent, slots))
        if rng.random() < 0.03:
            turns.append(Turn("person", rng.choice(_BACKCHANNELS), in_history=False))
        waiting = intent == "wait"
        reply = agent.reply(intent, slots)
        if intent == "stop" and rng.random() < 0.3:
            break  # They hung up at once.
        turns.append(Turn("agent", reply, agent.done))
    if turns[-1].ends_call and rng.random() < 0.06:
        turns[-1] = replace(turns[-1], text=_cut(rng, turns[-1].text), ends_call=False, cut=True)
        turns.append(Turn("person", utter(rng, "thanks", split, {})))
        turns.append(Turn("agent", "goodbye.", True))
    if turns[-1].ends_call and rng.random() < 0.3:
        turns.append(Turn("person", utter(rng, "thanks", split, {})))
    outcome, summary = judge(agent)
    if rare == "stop":
        turns.append(Turn("person", utter(rng, rare, split, {})))
        outcome, summary, quote = "do_not_contact", NO_MORE_CALLS, turns[-1].text
    returns = _returns(rng, scenario)
    values = agent.result()
    return Dialogue(
        scenario,
        _task(rng, scenario, split),
        context,
        returns,
        tuple(turns),
        {key: values[key] for key in returns},
        {"quote": quote if outcome else None, "summary": summary, "outcome": outcome},
    )


def dialogues(
    seed: int, n: int, split: Split = "train", rare_share: float = 0.0
) -> Iterator[Dialogue]:
    """`n` dialogues, the same ones for the same seed.

    Args:
        seed: chooses the sequence; training and held-out dialogues never share values or wording.
        n: how many; the three scenarios take turns.
        split: "heldout" has names, companies, streets, pairs of day and time, tasks and sentences
            that never occur in "train".
        rare_share: in how many the person says something of `RARE`.
    """
    rng = random.Random(f"{split} {seed}")
    for index in range(n):
        rare = rng.choice(RARE) if rare_share and rng.random() < rare_share else None
        yield _dialogue(rng, SCENARIOS[index % len(SCENARIOS)], split, rare=rare)


def chat(dialogue: Dialogue, now: datetime | None = None) -> list[Message]:
    """The dialogue as the chat messages that the engine gives a model, all answers included.

    Args:
        dialogue: which.
        now: told as in calls; models are trained without it.
    """
    messages: list[Message] = [
        {"role": "system", "content": system_prompt(dialogue.task, dialogue.context, now=now)},
        {"role": "user", "content": CALL_ANSWERED},
    ]
    for turn in dialogue.turns:
        if not turn.in_history:
            continue
        if turn.speaker == "agent":
            text = f"{turn.text} {END_CALL}" if turn.ends_call else turn.text
            messages.append({"role": "assistant", "content": text})
        elif messages[-1]["role"] == "user":
            messages[-1] = {"role": "user", "content": f"{messages[-1]['content']} {turn.text}"}
        else:
            messages.append({"role": "user", "content": turn.text})
        if turn.ends_call:
            break
    return messages


def whole_answers(dialogue: Dialogue) -> list[bool]:
    """For each of the agent's messages in `chat`, whether it is what the agent should say."""
    return [not t.cut for t in dialogue.turns if t.speaker == "agent" and t.in_history]


def transcript(dialogue: Dialogue) -> list[tuple[Literal["agent", "person"], str]]:
    """What was heard, as the question for the result is given it."""
    return [(turn.speaker, turn.text.removesuffix(CUT_OFF)) for turn in dialogue.turns]


def _make_familiar(rng: random.Random, context: Mapping[str, str]) -> dict[str, str]:
    values = {
        "company": rng.choice(FAMILIAR_COMPANIES),
        "name": rng.choice(FAMILIAR_NAMES),
        "address": f"{rng.choice(_HOUSE_NUMBERS)} {rng.choice(_FAMILIAR_STREETS)}",
    }
    return {key: values.get(key, value) for key, value in context.items()}


def person_sentences(seed: int, n: int, split: Split = "train") -> Iterator[str]:
    """`n` sentences that the person says, as often as they occur in dialogues."""
    return _sentences(seed, n, split, "person")


def agent_sentences(seed: int, n: int, split: Split = "train") -> Iterator[str]:
    """`n` things that the agent says, without punctuation, about names that exist.

    Held-out ones are about held-out pairs of day and time.
    """
    return _sentences(seed, n, split, "agent")


def _sentences(seed: int, n: int, split: Split, speaker: str) -> Iterator[str]:
    rng = random.Random(f"{speaker} {split} {seed}")
    count = 0
    while True:
        for turn in _dialogue(rng, rng.choice(SCENARIOS), split, familiar=True).turns:
            if turn.speaker == speaker and turn.text not in _BACKCHANNELS:
                if count == n:
                    return
                count += 1
                yield "".join(c for c in turn.text.removesuffix(CUT_OFF) if c.isalpha() or c == " ")
