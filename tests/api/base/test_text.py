"""Texts with variables in them."""

from typing import Any

import pytest

from api.base.text import as_text, flattened, is_broken, literal, render, unescaped, variables_in

WORDS = ["for {{name}}", "{{{name}}}", "\\{{name}}", "{{ {{a}}", "a { b } }}", "{\\{{{"]


@pytest.mark.parametrize("words", WORDS)
def test_a_literal_renders_to_the_text_that_it_is_of(words: str) -> None:
    template = literal(words)
    assert (variables_in(template), is_broken(template)) == ([], False)
    assert (render(template, {}), unescaped(template)) == (words, words)


def test_what_is_within_a_variable_has_a_name_of_its_own() -> None:
    variables: dict[str, Any] = {"a": {"b": [1, {"c": 2}]}, "a.b": "holds"}
    assert flattened(variables) == variables | {
        "a.b.0": 1,
        "a.b[0]": 1,
        "a.b.1": {"c": 2},
        "a.b[1]": {"c": 2},
        "a.b.1.c": 2,
        "a.b[1].c": 2,
    }


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
