"""The agent's side of the starter domain: one right answer to everything that may be said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from models.training.phrases import NUMBERS, PLACES

Scenario = Literal["appointment", "survey", "delivery"]
Result = dict[str, bool | int | str | None]


@dataclass(slots=True)
class Script:
    """What the agent says, by what it waits for and what the person meant.

    Attributes:
        scenario: which of the three.
        context: the call's facts; `company` always, `day` and `time` where the scenario asks.
        waits_for: the question that is open.
        agreed: whether the appointment stands or the person will be at home.
        done: the last reply ends the call.
        ended_by: what the person meant when it was said.
    """

    scenario: Scenario
    context: Mapping[str, str]
    waits_for: str = "identity"
    day: str | None = None
    time: str | None = None
    place: str | None = None
    number: str | None = None
    agreed: bool | None = None
    recommend: bool | None = None
    wrong_number: bool = False
    callback: bool = False
    done: bool = False
    ended_by: str | None = None

    @property
    def company(self) -> str:
        return self.context["company"]

    def _when(self) -> str:
        return f"{self.context['day']} at {self.context['time']}"

    def _topic(self) -> str:
        return {
            "appointment": "it is about your appointment.",
            "survey": "it is about your last visit.",
            "delivery": "it is about your delivery.",
        }[self.scenario]

    def question(self) -> str:
        """What the agent waits for, asked so that it can be understood alone."""
        match self.waits_for:
            case "identity":
                return f"am i speaking with {self.context['name']}?"
            case "confirm":
                return f"does {self._when()} work for you?"
            case "day":
                return "which day works for you?"
            case "time":
                return "what time works for you?"
            case "check":
                return f"is {self.day} at {self.time} right?"
            case "rating":
                return "from one to ten, how do you rate our service?"
            case "recommend":
                return "would you recommend us to a friend?"
            case "home":
                return f"will you be at home on {self.context['day']}?"
            case "home_time":
                return "what time suits you?"
            case _:
                return "where can we leave the parcel?"

    def greet(self) -> str:
        if "name" in self.context:
            return f"hello, this is {self.company}. {self.question()}"
        return f"hello, this is {self.company}. {self.purpose()}"

    def purpose(self) -> str:
        if self.scenario == "appointment":
            self.waits_for = "confirm"
            return f"i am calling about your appointment on {self._when()}. does that work for you?"
        if self.scenario == "survey":
            self.waits_for = "rating"
            return f"i am calling about your last visit. {self.question()}"
        self.waits_for = "home"
        to = f" to {self.context['address']}" if "address" in self.context else ""
        return f"we have a parcel for you{to}. {self.question()}"

    def _end(self, text: str) -> str:
        self.done = True
        return f"{text} goodbye."

    def _ask(self, state: str, before: str) -> str:
        self.waits_for = state
        return f"{before} {self.question()}"

    def aside(self, intent: str) -> str | None:
        """The answer to what may be said at any time; None for an answer to the question."""
        match intent:
            case "hello":
                return f"hello. {self.question()}"
            case "who":
                return f"this is {self.company}. {self.question()}"
            case "repeat":
                return f"of course. {self.question()}"
            case "about" | "why":
                return f"{self._topic()} {self.question()}"
            case "robot":
                return f"i am an automated assistant. {self.question()}"
            case "offtopic" | "annoyed":
                return f"sorry, i did not understand. {self.question()}"
            case "back":
                return f"thank you. {self.question()}"
            case "wait":
                return "sure, i will wait."
            case "where":
                if "address" in self.context:
                    return f"the address is {self.context['address']}. {self.question()}"
                return f"sorry, i do not know the address. {self.question()}"
            case "when":
                return self._say_when()
            case "busy" | "not_now":
                self.callback = True
                return self._end("no problem, we will call again later.")
            case "stop":
                return self._end("okay, we will not call you again.")
            case "other_number":
                return self._end("thank you, we will call you there.")
            case "bye":
                return self._end("thank you.")
            case "wrong" | "identity_no" | "not_mine":
                self.wrong_number = True
                return self._end("sorry for the mistake.")
            case _:
                return None

    def _say_when(self) -> str:
        if self.scenario == "appointment":
            return f"it is on {self._when()}. {self.question()}"
        return f"it is on {self.context['day']}. {self.question()}"

    def reply(self, intent: str, slots: Mapping[str, str]) -> str:
        """What to say to that intent, moving on in the conversation."""
        text = self._reply(intent, slots)
        if self.done:
            self.ended_by = intent
        return text

    def _reply(self, intent: str, slots: Mapping[str, str]) -> str:
        aside = self.aside(intent)
        if aside is not None:
            return aside
        if intent in ("identity_yes", "yes_who"):
            before = f"this is {self.company}. " if intent == "yes_who" else ""
            return before + self.purpose()
        if self.scenario == "appointment":
            return self._appointment(intent, slots)
        if self.scenario == "survey":
            return self._survey(intent, slots)
        return self._delivery(intent, slots)

    def _appointment(self, intent: str, slots: Mapping[str, str]) -> str:
        if intent == "yes":
            if self.waits_for == "confirm":
                self.day, self.time = self.context["day"], self.context["time"]
            self.agreed = True
            return self._end(f"great, see you on {self.day} at {self.time}.")
        self.agreed = False
        if intent in ("cancel", "unsure"):
            self.day = self.time = None
            if intent == "cancel":
                return self._end("okay, your appointment is cancelled.")
            return self._end("no problem, we will call again later.")
        if intent == "no":
            return self._ask("day", "no problem.")
        if intent == "wrong_slot":
            self.day = self.time = None
            return self._ask("day", "sorry.")
        if intent in ("offer_time", "offer_both", "say_both", "say_time", "fix_time"):
            self.time = slots["time"]
        if intent in ("offer_day", "offer_both", "say_both", "say_day", "fix_day"):
            self.day = slots["day"]
        if intent == "offer_time":
            self.day = self.context["day"]
        before = "sorry" if intent.startswith("fix_") else "okay"
        if self.time is None:
            return self._ask("time", f"{before}, {self.day}.")
        self.waits_for = "check"
        return f"{before}, {self.day} at {self.time}. is that right?"

    def _survey(self, intent: str, slots: Mapping[str, str]) -> str:
        if intent == "refuse":
            return self._end("no problem, have a nice day.")
        if intent in ("rate", "fix_rate"):
            self.number = slots["number"]
            before = "sorry" if intent == "fix_rate" else "okay"
            return self._ask("recommend", f"{before}, {self.number} out of ten.")
        if intent == "yes":
            return f"great. {self.question()}"
        self.recommend = intent == "recommend_yes"
        return self._end("thank you for your time.")

    def _delivery(self, intent: str, slots: Mapping[str, str]) -> str:
        if intent == "home_yes":
            self.agreed = True
            return self._ask("home_time", "great.")
        if intent == "home_no":
            self.agreed = False
            return self._ask("place", "no problem.")
        if intent in ("home_time", "say_time"):
            self.agreed, self.time = True, slots["time"]
            return self._end(f"okay, we will come on {self.context['day']} at {self.time}.")
        if intent == "any_time":
            return self._end(f"okay, we will come on {self.context['day']}.")
        self.agreed = False
        self.place = slots["place"]
        return self._end(f"okay, we will leave it {PLACES[self.place]}.")

    def result(self) -> Result:
        if self.scenario == "survey":
            rating = None if self.number is None else NUMBERS.index(self.number) + 1
            values: Result = {"rating": rating, "recommend": self.recommend}
        elif self.scenario == "delivery":
            values = {"at_home": self.agreed, "place": self.place, "time": self.time}
        else:
            values = {"confirmed": self.agreed, "day": self.day, "time": self.time}
        return values | {"callback": self.callback, "wrong_number": self.wrong_number}
