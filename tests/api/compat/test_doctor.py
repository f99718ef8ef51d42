"""What a stock client of each service finds here, and the lines that give it what it lacks."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from api.compat.doctor import Installation, Need, all_lines, examine
from api.resources.dialect import Dialect
from api.settings import Settings, load_settings
from tests.api.played_engines import played_engines

OURS = "+4930123456"
#: Where nothing has been set up for clients of hosted services.
BARE = Installation(Settings(), played_engines("en"))
DIALECTS = get_args(Dialect)


def missing(dialect: Dialect, here: Installation) -> dict[str, Need]:
    return {need.check: need for need in examine(dialect, here) if not need.ok}


def after(here: Installation, lines: str, folder: Path) -> Installation:
    """The installation with `lines` in its settings, and what else they speak of."""
    file = folder / "offhook.toml"
    file.write_text(lines)
    settings = load_settings(file, {})
    speaks = ("en", "es") if settings.models.set == "small" else ("en",)
    return replace(
        here,
        settings=settings,
        engines=played_engines(*speaks, aliases=settings.models.aliases),
        numbers=settings.calls.numbers,
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_lines_are_what_is_missing(dialect: Dialect, tmp_path: Path) -> None:
    """Added as they are, they leave only what is not in the settings: keys and calendars."""
    lines = all_lines(examine(dialect, BARE))
    assert lines.count("[calls]") == 1
    assert set(missing(dialect, after(BARE, lines, tmp_path))) <= {"keys", "calendars"}
    whole = replace(after(BARE, lines, tmp_path), keys=frozenset({None}), calendars=1)
    assert missing(dialect, whole) == {}


@pytest.mark.parametrize(
    ("dialect", "found"),
    [
        ("callingbox", {"keys", "numbers", "language es", "voices"}),
        (
            "oneinbox",
            {"keys", "numbers", "model gpt-4.1-mini", "transcriber nova-3", "voices", "recordings"},
        ),
        (
            "revox",
            {
                *("keys", "numbers", "model gpt-4.1", "model ministral-3-8b-instruct"),
                *("model openai/gpt-4.1", "voices", "recordings", "texts", "mails", "calendars"),
            },
        ),
    ],
)
def test_what_a_bare_installation_lacks(dialect: Dialect, found: set[str]) -> None:
    assert set(missing(dialect, BARE)) == found


def test_a_key_of_the_service_is_good_without_its_path() -> None:
    def told(*keys: Dialect | None) -> Need:
        here = replace(BARE, keys=frozenset(keys))
        return next(need for need in examine("revox", here) if need.check == "keys")

    assert (told().ok, told().command) == (False, "offhook keys create crm --dialect revox")
    assert (told(None).ok, told(None).command) == (True, told().command)
    assert (told("revox").ok, told("revox").command) == (True, "")


def test_countries_are_added_to_those_there_are() -> None:
    settings = Settings.model_validate({"calls": {"allowed_countries": ["FR"]}})
    here = replace(BARE, settings=settings, numbers=(OURS,))
    lines = missing("callingbox", here)["countries"].lines
    assert lines == '[calls]\nallowed_countries = ["FR", "US"]'
    at_home = replace(here, numbers=("+12125550100",))
    assert "countries" not in missing("callingbox", at_home)


@pytest.mark.parametrize(
    ("section", "check", "line"),
    [
        ({"calls": {"analysis": False}}, "outcomes", "[calls]\nanalysis = true"),
        ({"calls": {"max_duration_s": 60}}, "duration", "[calls]\nmax_duration_s = 600"),
        ({"recordings": {"enabled": False}}, "recordings", "[recordings]\nenabled = true"),
    ],
)
def test_what_was_switched_off_is_told(
    section: dict[str, dict[str, object]], check: str, line: str
) -> None:
    here = replace(BARE, settings=Settings.model_validate(section))
    assert missing("oneinbox", here)[check].lines == line


def test_inbound_calls_that_are_not_taken() -> None:
    here = replace(BARE, settings=Settings.model_validate({"pbx": {"inbound": False}}))
    assert missing("callingbox", here)["inbound"].lines == "[pbx]\ninbound = true"


def test_texts_over_freeswitch_go_by_a_gateway() -> None:
    here = replace(BARE, settings=Settings.model_validate({"pbx": {"kind": "freeswitch"}}))
    assert '[sms]\nkind = "http"' in missing("revox", here)["texts"].lines


def test_receivers_that_cannot_be_reached_are_told() -> None:
    receivers = {
        "https://crm.example/hook": None,
        "https://gone.example/hook": "does not answer within 5 s",
        "http://crm.example/hook": None,
        "https://127.0.0.1/hook": None,
    }
    found = missing("revox", replace(BARE, receivers=receivers))
    assert {name: need.lines for name, need in found.items() if name.startswith("webhook")} == {
        "webhook https://gone.example/hook": "",
        "webhook http://crm.example/hook": "[webhooks]\nallow_http = true",
        "webhook https://127.0.0.1/hook": "",
    }
