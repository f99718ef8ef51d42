"""A black box that is held once more by the same code gives the same decisions."""

import asyncio
from pathlib import Path

from api.blackbox.archive import unpack
from tests.api.blackbox.boxed import BoxedCall, packed, replayed
from voice_loop.floor import FloorConfig


async def recorded(folder: Path) -> Path:
    """A call in which the person answers, interrupts, goes on, and hangs up."""
    call = BoxedCall(
        {
            "yes please": "good. which day would suit you best?",
            "on monday": "monday it is, at noon.",
        }
    )
    box = call.box_in(folder)
    await call.answer()
    await call.hears_out()
    await call.says_and_waits("yes please")
    await call.quiet(300)
    await call.says("stop that", 800)
    await call.quiet(1200)
    await call.says("on monday")
    await call.quiet(200)
    await call.says("or so")
    await call.quiet(3000)
    call.conversation.hung_up()
    await call.end()
    return await packed(box, folder)


async def test_an_unchanged_build_decides_the_same_every_time(tmp_path: Path) -> None:
    box = unpack(await recorded(tmp_path))
    decided = [one.fields for one in box.entries if one.kind == "decision"]
    for _ in range(3):
        again = await asyncio.to_thread(replayed, box)
        assert again.first_difference is None
        assert len(again.decisions) == len(decided) > 20
        assert again.strange == {}
        assert again.reason == "person_hangup"
        assert [one["evidence"] for one in again.decisions] == [one["evidence"] for one in decided]


async def test_another_setting_gives_another_conversation(tmp_path: Path) -> None:
    box = unpack(await recorded(tmp_path))
    again = await asyncio.to_thread(
        replayed, box, floor=FloorConfig(end_of_turn_ms=1500, longest_pause_ms=1500)
    )
    assert again.first_difference is not None
    assert again.reason is None or again.reason == "person_hangup"
