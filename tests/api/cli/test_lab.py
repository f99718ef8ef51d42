"""What `offhook lab` makes of its arguments, before anything is started."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli import main
from api.cli.lab_run import called_agents, wanted_calls
from api.lab.library import Library
from api.lab.scenario import ScenarioError, built_in
from api.resources.agent import NewStoredAgent
from api.store import Store


def test_every_call_is_made_with_other_people() -> None:
    made = wanted_calls(["orders", "echo"], Library("closed"), {"": {}}, calls=3, seed=5)
    assert [one.name for one in made] == ["orders"] * 3 + ["echo"] * 3
    assert [one.pick for one in made] == [5, 6, 7] * 2
    every = wanted_calls([], Library("tune"), {"": {}}, calls=1, seed=0)
    assert [one.name for one in every] == list(built_in())


async def test_a_field_is_varied() -> None:
    agents = await called_agents(None, "interruption_sensitivity=0.2,0.8")
    made = wanted_calls(["orders"], Library("closed"), agents, calls=1, seed=0)
    assert [one.name for one in made] == ["orders 0.2", "orders 0.8"]
    assert [one.agent for one in made] == [
        {"interruption_sensitivity": 0.2},
        {"interruption_sensitivity": 0.8},
    ]


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        ("sensitivity=1", "agent.sensitivity: no such field"),
        ("interruption_sensitivity=2", "agent.interruption_sensitivity: Input should be less"),
    ],
)
async def test_a_field_that_no_agent_has_is_told(vary: str, told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        await called_agents(None, vary)


async def test_an_agents_file_holds_what_an_agent_has(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    path.write_text(json.dumps({"name": "Ada", "type": "outbound", "persona": "You are Ada."}))
    assert await called_agents(str(path), None) == {"": {"persona": "You are Ada."}}
    path.write_text(json.dumps({"personna": "You are Ada."}))
    with pytest.raises(ScenarioError, match=r"agent\.personna: no such field; did you mean perso"):
        await called_agents(str(path), None)
    path.write_text("[]")
    with pytest.raises(ScenarioError, match="no JSON object"):
        await called_agents(str(path), None)


async def test_a_stored_agent_is_called(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await store.agents.create(NewStoredAgent("Ada", {"persona": "You are Ada."}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OFFHOOK_STORE__PATH", str(tmp_path / "data/offhook.db"))
    found = await called_agents(agent.id, None)
    assert found == {"": {"persona": "You are Ada."}}
    with pytest.raises(ScenarioError, match="neither a file nor the id of a stored agent"):
        await called_agents("nobody", None)


def test_a_wrong_argument_ends_with_bad_usage() -> None:
    runner = CliRunner()
    done = runner.invoke(main, ["lab", "odrers"])
    assert done.exit_code == 2
    listed = runner.invoke(main, ["lab", "--list"])
    assert listed.exit_code == 0
