"""A black box that is held once more by the same code gives the same decisions."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.blackbox.archive import Box, BoxError, unpack
from api.blackbox.held import held_of
from api.replay.replaying import RealPace, Replay
from tests.api.blackbox.boxed import BoxedCall, packed, replayed
from tests.voice_loop.scripted import Detector, Gadget
from voice_loop.config import ConversationConfig
from voice_loop.floor import FloorConfig
from voice_loop.ports import Engines

ANSWERS = {
    "yes please": "good. which day would suit you best?",
    "on monday": "monday it is, at noon.",
    "or so": "at noon then.",
    "book it": '<tool_call>{"name": "book", "arguments": {"day": "monday"}}</tool_call>',
    "goodbye": 'bye.<tool_call>{"name": "end_call", "arguments": {}}</tool_call>',
}


async def talks(call: BoxedCall) -> None:
    """The person answers, interrupts, goes on, and hangs up."""
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


async def presses(call: BoxedCall) -> None:
    """The person presses keys, puts the agent on hold, and is told of something."""
    await call.hears_out()
    call.conversation.press("1", 0.0)
    await call.quiet(200)
    call.conversation.press("#", 0.0)
    await call.quiet(1500)
    call.conversation.hold(True)
    await call.quiet(2000)
    call.conversation.hold(False)
    call.conversation.tell("the transfer failed: busy")
    await call.quiet(3000)
    call.conversation.stop()


async def ends(call: BoxedCall) -> None:
    """The agent ends the call; its last grace is one of the wall's clock."""
    for _ in range(3000):
        await call.tick()
        if call.is_over:
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it does not end")


async def uses_a_tool(call: BoxedCall) -> None:
    """The agent uses its tool, and ends the call."""
    await call.hears_out()
    await call.says_and_waits("book it")
    await call.quiet(3000)
    await call.says_and_waits("goodbye")
    await ends(call)


async def hears_nothing(call: BoxedCall) -> None:
    """Nobody speaks; the agent gives up."""
    await ends(call)


async def fails(call: BoxedCall) -> None:
    """The language model fails."""
    await call.hears_out()
    call.mind.fault.error = "no memory"
    await call.says_and_waits("yes please")
    await ends(call)


Story = Callable[[BoxedCall], Awaitable[None]]
STORIES = [talks, presses, uses_a_tool, hears_nothing, fails]


async def recorded(folder: Path, story: Story = talks, **options: Any) -> Box:
    config = ConversationConfig("book a visit", tools=(Gadget(),))
    call = BoxedCall(ANSWERS, config)
    box = call.box_in(folder, **options)
    await call.answer()
    await story(call)
    await call.end()
    return unpack(await packed(box, folder))


def decided(box: Box) -> list[Mapping[str, Any]]:
    return [one.fields for one in box.entries if one.kind == "decision"]


@pytest.mark.parametrize("story", STORIES)
async def test_an_unchanged_build_decides_the_same_every_time(tmp_path: Path, story: Story) -> None:
    box = await recorded(tmp_path, story)
    for _ in range(3):
        again = await asyncio.to_thread(replayed, box)
        assert again.first_difference is None
        assert again.strange == {}
        assert len(again.decisions) == len(decided(box)) > 5
        evidence = [one["evidence"] for one in again.decisions]
        assert evidence == [one["evidence"] for one in decided(box)]


async def test_another_setting_parts_where_it_first_matters(tmp_path: Path) -> None:
    box = await recorded(tmp_path)
    slow = FloorConfig(end_of_turn_ms=1500, longest_pause_ms=1500)
    again = await asyncio.to_thread(replayed, box, floor=slow)
    first = again.first_difference
    assert first is not None
    assert first.recorded is not None
    assert first.recorded["on"]["is"] == "TurnEnded"


async def test_a_difference_in_the_recording_is_found(tmp_path: Path) -> None:
    """Else the sameness above would say nothing."""
    box = await recorded(tmp_path)
    for what in ("frame", "commands", "on"):
        index = [i for i, one in enumerate(box.entries) if one.kind == "decision"][7]
        entries = list(box.entries)
        wrong = {"frame": 3, "commands": [], "on": "stop"}[what]
        fields = {**entries[index].fields, what: wrong}
        entries[index] = entries[index]._replace(fields=fields)
        again = await asyncio.to_thread(replayed, replace(box, entries=tuple(entries)))
        assert again.first_difference is not None, what


async def test_live_it_is_compared_from_end_to_end(tmp_path: Path) -> None:
    """The engines of today answer, in the time that they take; frames pass as they did."""
    box = await recorded(tmp_path, presses)
    call = BoxedCall(ANSWERS, ConversationConfig("book a visit", tools=(Gadget(),)))
    engines = Engines(call.ears, call.mind, call.mouth, lambda _: Detector(), onset=call.sound)
    config = ConversationConfig(**held_of(box.header["conversation"]))
    again = await Replay(box, config, engines, RealPace(), live=True).run()
    assert len(call.mind.asked) > 1
    assert again.turns[0].text == "hello, this is the clinic."
    other = replace(config, first_sentence="good day.", first_sentence_mode="static")
    again = await Replay(box, other, engines, RealPace(), live=True).run()
    assert again.first_difference is not None


async def test_a_request_that_is_not_in_the_recording_is_counted(tmp_path: Path) -> None:
    """Other words than those that were asked for: the voice hums, the model's answer is near."""
    box = await recorded(tmp_path)
    entries = tuple(
        one._replace(fields={**one.fields, "text": "quite other words"})
        if one.kind == "request" and one.fields["engine"] == "tts"
        else one
        for one in box.entries
    )
    again = await asyncio.to_thread(replayed, replace(box, entries=entries))
    assert again.strange["tts"] > 2
    assert [turn.speaker for turn in again.turns][:2] == ["agent", "person"]


async def test_without_audio_it_is_told_how_much_is_missing(tmp_path: Path) -> None:
    box = await recorded(tmp_path, keeps_audio=lambda: False)
    ticks = sum(one.kind == "tick" for one in box.entries)
    again = await asyncio.to_thread(replayed, box)
    assert again.unheard == ticks > 100


async def test_a_recording_that_was_cut_short_is_held_as_far_as_it_goes(tmp_path: Path) -> None:
    box = await recorded(tmp_path)
    for part in (0.2, 0.5, 0.9):
        entries = box.entries[: int(len(box.entries) * part)]
        again = await asyncio.to_thread(replayed, replace(box, entries=entries))
        assert again.first_difference is None


async def test_hostile_entries_do_no_harm(tmp_path: Path) -> None:
    box = await recorded(tmp_path)
    rng = random.Random(16)
    refused = 0
    for _ in range(60):
        entries = list(box.entries)
        for _ in range(3):
            index = rng.randrange(len(entries))
            name = rng.choice([*entries[index].fields, "engine", "to", "frame"])
            value: Any = rng.choice([None, -1, "__class__", [], {}, 1e300, [[[]]], True])
            entries[index] = entries[index]._replace(
                kind=rng.choice([entries[index].kind, "told", "tick", "answer", "decision"]),
                fields={**entries[index].fields, name: value},
            )
        if rng.random() < 0.3:
            rng.shuffle(entries)
        try:
            await asyncio.to_thread(replayed, replace(box, entries=tuple(entries)))
        except BoxError:
            refused += 1
    assert refused > 5


@pytest.mark.parametrize(
    "changes",
    [{"rate": 10**9}, {"rate": "8000"}, {"voice_rate": 1}, {"min_confidence": []}],
)
async def test_a_hostile_header_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    box = await recorded(tmp_path, hears_nothing)
    with pytest.raises(BoxError):
        await asyncio.to_thread(replayed, replace(box, header={**box.header, **changes}))
