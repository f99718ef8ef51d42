"""What `offhook call` and `offhook demo` show of a call while it goes on."""

import io
import time

import pytest
from click.testing import CliRunner
from rich.console import Console

from api.cli import main
from api.cli.live import follow
from api.client import OffhookClient
from api.resources.attempt import Ended
from api.resources.turn import Turn
from pbx.switch import Cause
from tests.api.conftest import Bench
from tests.api.story import NORMAL, answered

MACHINE = Cause("no_answer", "normal_clearing", "A machine answered.", 16, 200, "a@b")


async def shown(bench: Bench, call_id: str) -> str:
    """The whole view of a call that is over."""
    console = Console(file=io.StringIO(), width=200)
    async with OffhookClient(str(bench.client.base_url), bench.key) as client:
        await follow(client, call_id, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.partial("CB-61")
async def test_who_was_a_machine_is_labelled_voicemail(bench: Bench) -> None:
    """On the command line: there is no dashboard."""
    call = await answered(bench.store)
    ended = Ended(time.time(), MACHINE, "voicemail", answered_by="machine")
    await bench.store.calls.record_ended(call.id, ended)
    view = await shown(bench, call.id)
    assert view.rstrip().endswith("voicemail")
    assert "no answer" not in view


async def test_turns_name_who_spoke_and_what_a_tool_gave(bench: Bench) -> None:
    call = await answered(bench.store)
    used = {"name": "look_up", "arguments": {"item": "7 mm"}, "output": "[3]", "is_error": False}
    for turn in (
        Turn("person", "How many are left?", 1.0, 2.0),
        Turn("tool", "[3]", 2.0, 3.0, tool=used),
        Turn("keypad", "1#", 3.0, 3.0),
    ):
        await bench.store.calls.add_turn(call.id, turn)
    await bench.store.calls.record_ended(call.id, Ended(time.time(), NORMAL, "agent_hangup"))
    lines = [line.split(maxsplit=2)[1:] for line in (await shown(bench, call.id)).splitlines()]
    assert [line for line in lines if len(line) == 2] == [
        ["person", "How many are left?"],
        ["tool", 'look_up {"item": "7 mm"} → [3]'],
        ["keys", "1#"],
    ]


def test_a_call_wants_a_prompt_or_an_agent() -> None:
    asked = CliRunner().invoke(main, ["call", "+15551234567", "--key", "sk_none"])
    assert asked.exit_code == 2
    assert "--agent" in asked.stderr
