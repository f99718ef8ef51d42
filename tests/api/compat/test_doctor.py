"""What a stock client of each service finds here, and the lines that give it what it lacks."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from api.compat.doctor import Additions, Installation, Need, additions, examine
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
    found = additions(examine(dialect, BARE), "")
    assert found.tables == {}
    lines = found.new
    assert lines.count("[calls]") == 1
    assert set(missing(dialect, after(BARE, lines, tmp_path))) <= {"keys", "calendars"}
    whole = replace(after(BARE, lines, tmp_path), keys=frozenset({None}), calendars=1)
    assert missing(dialect, whole) == {}


def merged(text: str, found: Additions) -> str:
    """A settings file with what is to be added, put where it is said to go."""
    for table, lines in found.tables.items():
        header = re.search(rf"^ *\[ *{re.escape(table)} *\].*\n", text, re.MULTILINE)
        assert header is not None, table
        before, after = text[: header.end()], text[header.end() :]
        for line in lines.splitlines():
            key = re.escape(line.partition(" = ")[0])
            after, count = re.subn(rf"^{key} *=.*\n", "", after, count=1, flags=re.MULTILINE)
            assert (count == 1) == ("# in place of" in line), line
        text = f"{before}{lines}\n{after}"
    return f"{text}\n{found.new}\n"


FULL = """\
[calls]  # ours
max_duration_s = 60
numbers = []
default_language = "en"

[models.aliases]
"somebody's" = "local"

[ server ]
port = 8081

[webhooks]
"""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_lines_go_into_the_tables_that_a_file_has(dialect: Dialect, tmp_path: Path) -> None:
    here = after(BARE, FULL, tmp_path)
    receivers = {"http://crm.example/hook": None}
    found = additions(examine(dialect, replace(here, receivers=receivers)), FULL)
    assert {"calls", "models.aliases", "webhooks"} <= found.tables.keys()
    assert 'numbers = ["+15551234567"]  # in place of the line there' in found.tables["calls"]
    assert not any(f"[{table}]" in found.new for table in found.tables)
    whole = after(BARE, merged(FULL, found), tmp_path)
    assert set(missing(dialect, replace(whole, receivers=receivers))) <= {"keys", "calendars"}
    assert whole.settings.models.aliases["somebody's"] == "local"


@pytest.mark.parametrize(
    ("text", "into"),
    [
        ('[models]\naliases = {"a" = "local"}\n', True),
        ('models.aliases.a = "local"\n', True),
        ('[models]\nset = "tiny"\n', False),
        ('[models.voices.b]\nurl = "https://tts.example.org"\n', False),
    ],
)
def test_a_table_may_be_written_in_other_ways(text: str, into: bool) -> None:
    found = additions(examine("revox", BARE), text)
    assert ("models.aliases" in found.tables) == into
    assert ("[models.aliases]" in found.new) != into
    tomllib.loads(f"{text}\n{found.new}")


def test_voices_are_named_as_the_services_clients_do() -> None:
    def named(alias: str) -> dict[Dialect, bool]:
        engines = played_engines("en", "es", aliases={alias: "en"})
        here = replace(BARE, engines=engines)
        return {dialect: "voices" not in missing(dialect, here) for dialect in DIALECTS}

    everyone = dict.fromkeys(DIALECTS, True)
    nobody = dict.fromkeys(DIALECTS, False)
    assert named("cartesia/sofia") == named("elevenlabs/rachel") == nobody | {"revox": True}
    assert named("openai/marin") == nobody
    assert named("sofia") == everyone, "by `id`, whatever the provider"


def test_receivers_that_were_not_asked_are_told() -> None:
    asked = {f"https://{number}.example/hook": None for number in range(16)}
    here = replace(BARE, receivers=asked)
    told = [one for one in examine("revox", here) if "not asked" in one.message]
    assert told == []
    unasked = ("https://17.example/hook", "http://18.example/hook")
    found = examine("revox", replace(here, unasked=unasked))
    (left,) = (one for one in found if "not asked" in one.message)
    assert (left.ok, left.message) == (True, "2 more were not asked whether they can be reached")
    assert [one.check for one in found if not one.ok and one.check.startswith("webhook ")] == [
        "webhook http://18.example/hook"
    ]


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
