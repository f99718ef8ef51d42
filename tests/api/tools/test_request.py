"""Whatever a value is, an HTTP tool's request keeps the form of its template."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.resources.tool_fields import HttpTool, Input
from api.tools.inputs import parameters
from api.tools.request import RequestError, request_of
from models.grammar import gbnf

TOOL = HttpTool.model_validate(
    {
        "type": "http",
        "name": "look_up",
        "description": "Looks up.",
        "method": "POST",
        "url": "https://crm.example.org:8443/a/{{x}}/b-{{x}}?fixed=1&of={{x}}",
        "headers": [{"key": "X-Of", "value": "<{{x}}>"}],
        "query_params": [{"key": "q", "value": "{{x}} {{x}}"}],
        "body_template": '{"typed": "{{x}}", "text": ["<{{x}}>"], "x": {"admin": false}}',
    }
)
HOSTILE = st.text() | st.text(alphabet="./\\%?#&=@:;{}\"'\r\n2eEfF ")


@pytest.mark.rows("RV-139", "RV-140", "RV-170", "RV-174")
@given(value=HOSTILE.filter(lambda text: text.isprintable()))
def test_no_value_leaves_its_place(value: str) -> None:
    try:
        request = request_of(TOOL, {"x": value})
    except RequestError as error:
        assert "another path" in str(error)  # noqa: PT017 - both ends are fine
        return
    # As two parsers read it: ours, and that of the client.
    for url in (request.url, str(httpx.URL(request.url))):
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc, parts.fragment) == (
            *("https", "crm.example.org:8443"),
            "",
        )
        segments = [unquote(one) for one in parts.path.split("/")]
        assert segments == ["", "a", value, f"b-{value}"]
        assert parse_qsl(parts.query, keep_blank_values=True) == [
            ("fixed", "1"),
            ("of", value),
            ("q", f"{value} {value}"),
        ]
    assert request.headers == [(b"X-Of", f"<{value}>".encode())]
    assert request.body is not None
    assert json.loads(request.body) == {
        "typed": value,
        "text": [f"<{value}>"],
        "x": {"admin": False},
    }


@pytest.mark.rows("RV-145", "RV-147")
@given(value=HOSTILE, control=st.characters(categories=["Cc"]))
def test_no_header_is_ended_by_a_value(value: str, control: str) -> None:
    tool = TOOL.model_copy(update={"url": "https://crm.example.org/"})
    with pytest.raises(RequestError, match="X-Of"):
        request_of(tool, {"x": value + control})


@pytest.mark.rows("RV-148", "RV-152…158")
def test_every_type_can_be_enforced_in_decoding() -> None:
    types = ("string", "number", "boolean", "date", "datetime")
    inputs = [Input.model_validate({"name": one, "type": one}) for one in types]
    choice = {"name": "enum", "type": "enum", "enum_options": ['a"b', "ü"], "required": False}
    schema = parameters([*inputs, Input.model_validate(choice)], datetime.now(UTC))
    assert "root" in gbnf(schema)
    assert "root" in gbnf(parameters([], datetime.now(UTC)))
