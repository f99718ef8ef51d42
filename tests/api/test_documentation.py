"""The pages of `docs/` and README.md: links lead somewhere, commands and examples work as written,
and what has values is told with all of them."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, get_args

import httpx
import pytest

from api.base.lifecycle import EVENT_OF, TERMINAL, WEBHOOK_EVENTS
from api.cli.lab import lab
from api.lab.figures import Figures
from api.lab.library import Library
from api.lab.scenario import LineConditions, Step, Stub, load_scenario
from api.lab.script import script_of
from api.resources.agent_fields import AgentFields
from api.resources.call import CreateCall
from api.resources.returns import TYPE_NAMES
from api.settings import PayloadStyle, load_settings
from pbx.incoming import Refusal
from tests.api.conftest import Bench
from tests.api.story import answered

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

#: Files that a command sends.
FILES: Final = {
    "@contacts.csv": "to,name,metadata.customer\n+15557654322,Maria Lopez,42\n",
    "@list.csv": "number,reason\n+15557654399,asked\n",
}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def section(name: str, title: str) -> str:
    """What stands under a heading of a page."""
    (found,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page(name), re.M | re.S)
    assert isinstance(found, str)
    return found


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)


def anchors(path: Path) -> set[str]:
    """Those that a forge makes of headings: small letters, digits, hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if target.startswith(("http:", "https:", "/")):
            continue
        name, _, anchor = target.partition("#")
        other = path.parent / name if name else path
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


def test_the_map_names_every_page() -> None:
    told = page("api.md")
    for path in (ROOT / "docs").glob("*.md"):
        if path.name != "api.md":
            assert f"]({path.name})" in told


def commands(path: Path) -> Iterator[list[str]]:
    """The words of each curl command of a page, as a shell splits them."""
    for block in blocks(path, "sh"):
        for line in block.replace("\\\n", " ").split("\ncurl "):
            words = shlex.split(line)
            if "-s" in words:
                yield words[words.index("-s") + 1 :]


async def run(client: httpx.AsyncClient, words: list[str], known: dict[str, str]) -> httpx.Response:
    """Do what curl does with these words."""
    url, method, body = "", None, None
    headers: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word == "-H":
            name, _, text = next(rest).partition(": ")
            headers[name] = text.replace("$OFFHOOK_API_KEY", known["key"])
        elif word == "-X":
            method = next(rest)
        elif word in {"-d", "--data-binary"}:
            given = next(rest)
            given = given.replace('["…"]', f'["{known["number"]}"]')
            body = FILES.get(given, given.replace("…", known.get("agent", "…")))
        else:
            url = word.removeprefix("$URL").removeprefix("http://127.0.0.1:8080")
    return await client.request(
        method or ("GET" if body is None else "POST"),
        url.replace("$ID", known.get("id", "")),
        headers=headers,
        content=body,
    )


@pytest.mark.parametrize(
    "path", [one for one in PAGES if any(commands(one))], ids=lambda path: path.name
)
async def test_every_command_works_as_written(bench: Bench, path: Path) -> None:
    known = {"key": bench.key, "number": (await bench.store.numbers.page(limit=1)).items[0].id}
    async with httpx.AsyncClient(base_url=bench.client.base_url, trust_env=False) as client:
        for words in commands(path):
            if "$URL/v1/calls/$ID/transfer" in words:
                known["id"] = (await answered(bench.store, trunk="trunk")).id
            response = await run(client, words, known)
            assert response.status_code in {200, 201, 202}, (words, response.text)
            made = response.json()
            known["id"] = made.get("id", known.get("id", ""))
            if "$URL/v1/agents" in words:
                known["agent"] = made["id"]


@pytest.mark.parametrize(
    "path",
    [one for one in PAGES if blocks(one, "toml") and one.name != "lab.md"],
    ids=lambda path: path.name,
)
def test_every_table_of_settings_is_one(path: Path, tmp_path: Path) -> None:
    for block in blocks(path, "toml"):
        (tmp_path / "offhook.toml").write_text(block, encoding="utf-8")
        load_settings(tmp_path / "offhook.toml", {})


def test_the_page_of_the_laboratory_works_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scenario can be played, its commands are taken, and every field and figure is told."""
    (example,) = blocks(ROOT / "docs/lab.md", "toml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(example, encoding="utf-8")
    (tmp_path / "agent.json").write_text("{}", encoding="utf-8")
    (tmp_path / "more").mkdir()
    (block,) = blocks(ROOT / "docs/lab.md", "sh")
    for line in block.splitlines():
        program, command, *words = shlex.split(line, comments=True)
        assert (program, command) == ("offhook", "lab")
        for name in lab.make_context("lab", words).params["scenarios"]:
            assert script_of(load_scenario(name), Library("closed"), 0).cues
    told = set(re.findall(r"`(?:--)?([\w-]+)", page("lab.md")))
    options = {name[2:] for one in lab.params for name in one.opts if name.startswith("--")}
    fields_ = {name for one in (Step, LineConditions, Stub) for name in one.model_fields}
    assert fields_ | {one.name for one in fields(Figures)} - {"calls", "listened_min"} <= told
    assert options - {"list", "log-level"} <= told


@pytest.mark.rows("CB-121")
def test_the_page_of_statuses_has_each_with_its_event() -> None:
    lines = re.findall(
        r"^\| `(\w+)` \|[^|]*\| `([\w.]+)` \| (yes|no)", section("calls.md", "A call's life"), re.M
    )
    assert {status: event for status, event, _ in lines} == EVENT_OF
    assert {event for _, event, told in lines if told == "yes"} == WEBHOOK_EVENTS
    assert "The last five are final" in page("calls.md")
    assert {status for status, _, _ in lines[-5:]} == TERMINAL


@pytest.mark.rows("CB-130", "CB-131")
def test_the_pages_of_calls_and_agents_tell_of_what_an_order_may_have() -> None:
    """Its own fields, and which of them holds where an agent says something else."""
    own = set(CreateCall.model_fields) - set(AgentFields.model_fields)
    told = section("calls.md", "Placing a call") + section("calls.md", "When, and how often")
    assert own <= set(re.findall(r"`(\w+)`", told))
    order = section("agents.md", "Merge order")
    places = [order.index(one) for one in ("`agent_id`", "`agent` in the body", "`overrides`")]
    assert places == sorted(places)


@pytest.mark.rows("CB-132")
async def test_the_page_of_structured_results_has_every_type(bench: Bench) -> None:
    told = section("agents.md", "Structured results")
    assert set(TYPE_NAMES) <= set(re.findall(r"`(\w+)`", told))
    objects = [json.loads(one) for one in re.findall(r"`([{[]\".*?[}\]])`", told)]
    assert len(objects) == 5
    await bench.create(returns={f"field_{i}": one for i, one in enumerate(objects)})


@pytest.mark.rows("CB-134")
def test_the_page_of_inbound_calls_tells_of_every_refusal() -> None:
    told = section("calls.md", "Inbound calls")
    causes = {int(cause) for cause in re.findall(r"\| [45]\d\d \| (\d+) \|", told)}
    assert causes == set(Refusal)
    for name in ("inbound_numbers", "max_concurrent", "max_channels", "pbx.inbound"):
        assert name in told


@pytest.mark.rows("CB-133")
def test_the_pages_tell_of_polling_and_of_webhooks() -> None:
    told = section("calls.md", "Following a call")
    assert "Polling: `GET /v1/calls/{id}`" in told
    assert "[webhooks](webhooks.md)" in told
    styles = re.findall(r"`(\w+)`", section("webhooks.md", "A call's own receiver"))
    assert set(get_args(PayloadStyle)) <= set(styles)


async def test_the_example_of_a_schedule_is_taken(bench: Bench) -> None:
    (example,) = blocks(ROOT / "docs/calls.md", "json")
    order = json.loads(example)
    soon = datetime.now(UTC) + timedelta(days=30)
    # A Tuesday, in New York's afternoon: when its windows are open.
    later = (soon + timedelta(days=(1 - soon.weekday()) % 7)).replace(hour=19)
    placed = await bench.create(**order | {"scheduled_at": later.isoformat()})
    assert placed["waiting_for"] == "scheduled_at"
    assert placed["concurrency"] == order["concurrency"]
