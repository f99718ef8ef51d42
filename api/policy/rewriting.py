"""A trunk's number rewriting: of ordered rules, the first that fits is applied, and no other.

A rule is what FreePBX calls a dial pattern: what a number begins with (`prefix`, which is taken
off), what the rest looks like (`match`), and what is put in front of it (`prepend`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.base.dial_patterns import fits


@dataclass(frozen=True)
class Rule:
    """One rule, checked."""

    prefix: str = ""
    match: str = "."
    prepend: str = ""

    def apply(self, number: str) -> str | None:
        """What becomes of the number; None where the rule does not fit."""
        if not number.startswith(self.prefix):
            return None
        rest = number.removeprefix(self.prefix)
        return self.prepend + rest if fits(rest, self.match) else None


@dataclass(frozen=True)
class Step:
    """What a rule did to a number."""

    rule: Rule
    number: str
    """As the rule found it."""
    result: str | None
    """None where it did not fit."""


def steps(number: str, rules: Sequence[Rule]) -> Iterator[Step]:
    """Each rule that is looked at, in order, up to the first that fits."""
    for rule in rules:
        step = Step(rule, number, rule.apply(number))
        yield step
        if step.result is not None:
            return


def rewrite(number: str, rules: Sequence[Rule]) -> str:
    """The number as the first rule that fits makes it; where none does, as it is."""
    return next((one.result for one in steps(number, rules) if one.result is not None), number)
