"""Every error points at the value in the request, not at how we describe it."""

from math import inf
from typing import Any

import pytest

from api.base.fields import parse_fields
from api.base.problems import Problem
from api.resources.agent_fields import AgentFields

HTTP = {"type": "http", "name": "look_up", "description": "x", "url": "https://a.example/"}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"tools": [HTTP | {"name": "X"}]}, {"/tools/0/name": "pattern"}),
        ({"tools": [HTTP | {"http": 1}]}, {"/tools/0/http": "unknown key"}),
        (
            {"tools": [{"type": "transfer", "transfer": 1}]},
            {
                "/tools/0/number": "required",
                "/tools/0/transfer": "unknown key",
            },
        ),
        ({"tools": [{"type": "htp"}]}, {"/tools/0/type": "'http', 'transfer'"}),
        ({"tools": [{}]}, {"/tools/0/type": "required"}),
        ({"tools": [3]}, {"/tools/0": "object"}),
        (
            {"tools": [HTTP | {"input_schema": [{"name": "a", "type": 1}]}]},
            {
                "/tools/0/input_schema/0/type": "'string'",
            },
        ),
        ({"variables": {"a/b": [[[[[[1]]]]]]}}, {"/variables/a~1b": "at most 5 levels"}),
        ({"variables": {"a": {"str": inf}}}, {"/variables/a/str": "out of range"}),
        ({"voice": {"speed": True}}, {"/voice/speed": "number"}),
    ],
)
def test_where_it_is_wrong(body: dict[str, Any], errors: dict[str, str]) -> None:
    with pytest.raises(Problem) as caught:
        parse_fields(AgentFields, body)
    told = {error.pointer: error.detail for error in caught.value.errors}
    assert list(told) == list(errors)
    assert len(caught.value.errors) == len(errors)
    for place, detail in errors.items():
        assert detail in told[place]
