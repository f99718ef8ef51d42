"""Scenario files: what they may hold, and how a wrong one is told."""

from pathlib import Path

import pytest

from api.lab.caller import Listen, Pause, Press, Utter
from api.lab.library import Library, LibraryError
from api.lab.scenario import ScenarioError, built_in, load_scenario
from api.lab.script import script_of
from models.recordings import PARTS, Part, recordings


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", built_in())
def test_every_built_in_scenario_can_be_played_with_what_ships(name: str, part: Part) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.about
    for pick in range(3):
        assert script_of(scenario, Library(part), pick).cues


def test_what_ships_is_of_both_parts_and_attributed() -> None:
    found = recordings(Path("api/lab/recordings"))
    assert {one.part for one in found if one.set != "noise"} == set(PARTS)
    assert all(one.path.exists() and one.licence_and_source for one in found)
    told = Path("api/lab/recordings/README.md").read_text(encoding="utf-8")
    for one in found:
        assert f"`{one.set}`" in told


def test_a_scenario_becomes_what_a_caller_does(tmp_path: Path) -> None:
    text = """
    steps = [
      { listen = true, silence_ms = 500 },
      { say = "words:yes", level_db = -6 },
      { pause_ms = 300 },
      { dictate = "415", gap_ms = 200 },
      { press = "12#" },
      { interrupt = "words:stop", after_ms = 700 },
      { hang_up = true },
      { say = "words:no" },
    ]
    """
    cues = script_of(load_scenario(written(tmp_path, text)), Library("closed"), 0).cues
    listen, yes, pause, number, keys, stop = cues
    assert listen == Listen(500, 12_000)
    assert isinstance(yes, Utter)
    assert (yes.kind, yes.clip.text, yes.after_ms) == ("say", "yes", None)
    assert pause == Pause(300)
    assert isinstance(number, Utter)
    assert number.clip.dictated == "415"
    assert number.clip.words == ("four", "one", "five")
    assert keys == Press("12#")
    assert isinstance(stop, Utter)
    assert (stop.kind, stop.after_ms) == ("interrupt", 700)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps = [{ sya = 'words:yes' }]", "steps.0.sya: no such field; did you mean say?"),
        ("steps = [{ say = 'x', press = '1' }]", "steps.0: a step is exactly one of say,"),
        ("steps = [{ say = 'x', gap_ms = 1 }]", "steps.0: `say` takes no gap_ms: leave it out"),
        ("steps = [{ press = 'x' }]", "steps.0.press: String should match"),
        ("steps = []", "steps: Tuple should have at least 1 item"),
        ("line = { echo_bd = -3 }\nsteps = [{ listen = true }]", "did you mean echo_db?"),
        ("line = { loss = 2 }\nsteps = [{ listen = true }]", "line.loss: Input should be less"),
        (
            "agent = { instructons = 'x' }\nsteps = [{ listen = true }]",
            "agent.instructons: no such field; did you mean instructions?",
        ),
        ("steps = [", "is no valid TOML"),
    ],
)
def test_a_wrong_file_is_told_with_the_field_and_the_fix(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(written(tmp_path, text))
    assert told in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_scenario_of_no_name_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ScenarioError, match=r"neither a file nor a built-in scenario .*orders"):
        load_scenario("odrers")


def test_a_recording_of_no_name_is_told(tmp_path: Path) -> None:
    scenario = load_scenario(written(tmp_path, "steps = [{ say = 'words:perhaps' }]"))
    with pytest.raises(LibraryError, match=r"'words:perhaps'.*'closed'.*orders, words.*--audio"):
        script_of(scenario, Library("closed"), 0)


def test_the_parts_have_different_people() -> None:
    closed, tune = (
        {one.name for one in Library(part).of("words:yes")} for part in ("closed", "tune")
    )
    assert closed
    assert tune
    assert not closed & tune
    noises = [Library(part).noise("noise/kitchen.flac") for part in PARTS]
    assert noises[0].tobytes() != noises[1].tobytes()
