"""The Grafana board and the alert rules ask for numbers that there are, in PromQL that parses."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]

from api.telemetry.meter import Meter

ROOT = Path(__file__).parents[3]
BOARD = json.loads((ROOT / "docs/grafana/offhook.json").read_text())
ALERTS = ROOT / "docker/prometheus/alerts.yml"
(GROUP,) = yaml.safe_load(ALERTS.read_text())["groups"]
EXPRESSIONS: Final = [one["expr"] for panel in BOARD["panels"] for one in panel["targets"]] + [
    rule["expr"] for rule in GROUP["rules"]
]
LABELS: Final = {
    label: set(collector._labelnames)
    for collector, labels in Meter().registry._collector_to_names.items()
    if hasattr(collector, "_labelnames")
    for label in labels
}

#: How PromQL's words are told apart (prometheus/promql/parser/lex.go), as far as these go.
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<range>\[\d+[smhdwy]\])
    |(?P<number>\d+(?:\.\d+)?(?:e\d+)?)|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    |(?P<op>=~|!~|!=|==|>=|<=|[-+*/<>=(){},]))""",
    re.X,
)
_AGGREGATIONS = {"sum", "avg", "min", "max", "count"}
_FUNCTIONS = {"rate": 1, "increase": 1, "predict_linear": 2, "histogram_quantile": 2}
_OPERATORS = {"+", "-", "*", "/", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"}


class PromQl:
    """A parser of what these files use of PromQL; ValueError for anything else."""

    def __init__(self, text: str) -> None:
        self.words: list[tuple[str, str]] = []
        text, at = text.strip(), 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"unreadable: {text[at:]!r}")
            kind = found.lastgroup
            assert kind is not None
            self.words.append((kind, found[kind]))
            at = found.end()
        self.selected: list[tuple[str, set[str]]] = []
        """Each metric that is asked for, with the labels that are."""
        self.grouped: set[str] = set()
        self.expression()
        if self.words:
            raise ValueError(f"too much: {self.words}")

    def peek(self) -> str:
        return self.words[0][1] if self.words else ""

    def take(self, *wanted: str) -> str:
        if not self.words or (wanted and self.peek() not in wanted):
            raise ValueError(f"{wanted} wanted, not {self.words[:1]}")
        return self.words.pop(0)[1]

    def of(self, kind: str) -> str:
        if not self.words or self.words[0][0] != kind:
            raise ValueError(f"a {kind} wanted, not {self.words[:1]}")
        return self.take()

    def expression(self) -> None:
        self.operand()
        while self.peek() in _OPERATORS:
            self.take()
            if self.peek() in {"on", "ignoring"}:
                self.take()
                self.labels()
            self.operand()

    def operand(self) -> None:
        if self.peek() == "(":
            self.take()
            self.expression()
            self.take(")")
        elif self.words and self.words[0][0] == "number":
            self.take()
        else:
            self.named(self.of("name"))

    def named(self, name: str) -> None:
        if name in _AGGREGATIONS:
            if self.peek() == "by":
                self.take()
                self.grouped |= self.labels()
            self.take("(")
            self.expression()
            self.take(")")
        elif name in _FUNCTIONS:
            self.take("(")
            for argument in range(_FUNCTIONS[name]):
                if argument:
                    self.take(",")
                self.expression()
            self.take(")")
        else:
            self.selector(name)

    def labels(self) -> set[str]:
        self.take("(")
        found = {self.of("name")}
        while self.take(",", ")") == ",":
            found.add(self.of("name"))
        return found

    def selector(self, name: str) -> None:
        asked = set()
        if self.peek() == "{":
            self.take()
            while True:
                asked.add(self.of("name"))
                self.take("=", "!=", "=~", "!~")
                self.of("string")
                if self.take(",", "}") == "}":
                    break
        if self.words and self.words[0][0] == "range":
            self.take()
        self.selected.append((name, asked))


@pytest.mark.parametrize(
    "wrong", ["sum(rate(a[5m])", "a >", "rate(a[5])", "sum by le (a)", "a{b=c}"]
)
def test_the_parser_finds_faults(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"wanted|unreadable|too much"):
        PromQl(wrong)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_is_there(expression: str) -> None:
    asked = PromQl(expression)
    known: set[str] = {"le"}
    for name, labels in asked.selected:
        if name != "up":
            assert name in LABELS, name
            assert labels <= LABELS[name] | {"le"}, (name, labels)
            known |= LABELS[name]
    assert asked.grouped <= known


def rules() -> Iterator[dict[str, Any]]:
    yield from GROUP["rules"]


def test_every_rule_says_what_to_do() -> None:
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description"}
        for text in rule["annotations"].values():
            for label in re.findall(r"\$labels\.(\w+)", text):
                names = [name for name, _ in PromQl(rule["expr"]).selected]
                assert label == "instance" or any(label in LABELS[name] for name in names)
    assert len({rule["alert"] for rule in rules()}) == len(GROUP["rules"])


def test_the_board_is_one_that_grafana_takes() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    squares = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert (place["x"], place["y"]) not in squares
        squares.add((place["x"], place["y"]))
        assert panel["datasource"]["uid"] == "${source}"
    assert [one["type"] for one in BOARD["templating"]["list"]] == ["datasource"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_takes_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(ALERTS)], check=True)
