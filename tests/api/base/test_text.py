"""Texts with variables in them."""

from typing import Any

import pytest

from api.base.text import Variables, as_text, is_broken, literal, render, unescaped, variables_in

WORDS = ["for {{name}}", "{{{name}}}", "\\{{name}}", "{{ {{a}}", "a { b } }}", "{\\{{{"]


@pytest.mark.parametrize("words", WORDS)
def test_a_literal_renders_to_the_text_that_it_is_of(words: str) -> None:
    template = literal(words)
    assert (variables_in(template), is_broken(template)) == ([], False)
    assert (render(template, {}), unescaped(template)) == (words, words)


def test_what_is_within_a_variable_has_a_name_of_its_own() -> None:
    given: dict[str, Any] = {"a": {"b": [1, {"c": 2}], "d.e[0]": 3}, "l": [[4, 5]], "n": None}
    variables = Variables(given)
    assert dict(variables) == given
    found = {
        **{"a.b.0": 1, "a.b[0]": 1, "a.b.1": {"c": 2}, "a.b[1].c": 2, "a.b.1.c": 2, "a.d.e[0]": 3},
        **{"l.0.1": 5, "l[0][1]": 5, "l[0].1": 5, "l.0[1]": 5, "n": None},
    }
    assert {name: variables[name] for name in found} == found
    for name in (
        "a.c",
        "a[0]",
        "a.b.2",
        "a.b.00",
        "a.b[-1]",
        "a.b[0",
        "a.b.0x",
        "l.0.1.2",
        "n.0",
        ".",
    ):
        assert name not in variables, name


def test_a_variable_of_just_that_name_holds_before_a_path() -> None:
    variables = Variables({"a": {"b": {"c": 1, "d": 2}}, "a.b": {"c": 3}, "l": [4], "l[0]": 5})
    names = ("a.b", "a.b.c", "a.b.d", "l[0]", "l.0")
    assert [variables[name] for name in names] == [{"c": 3}, 3, 2, 5, 4]
    over = Variables(variables, {"a.b": 6})
    assert (over["a.b"], over["a.b.d"], dict(over)["a.b"]) == (6, 2, 6)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (3, "3"),
        ([1, "a", None], "1, a, "),
        ({"a": "é"}, '{"a": "é"}'),
        ([{"a": 1}], '[{"a": 1}]'),
    ],
)
def test_a_value_as_it_stands_in_a_text(value: Any, text: str) -> None:
    assert as_text(value) == text
