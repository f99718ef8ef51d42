"""The ordered writer: what it is told is written in that order, again and again if need be."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from api.store import StoreError
from api.store.ledger_writer import LedgerWriter, insist

WAITS = (0.0, 0.0, 0.0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.store.ledger_writer._NOTE_WAITS", WAITS)


class Book:
    """What was written; a page may refuse."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.tries: list[str] = []

    def fact(self, name: str, *errors: Exception) -> Callable[[], Awaitable[str]]:
        left = list(errors)

        async def write() -> str:
            self.tries.append(name)
            await asyncio.sleep(0)
            if left:
                raise left.pop(0)
            self.written.append(name)
            return name

        return write


FULL = StoreError("the disk is full")


async def written(*facts: Callable[[], Awaitable[str]]) -> None:
    """Have a scribe write the facts down, to the end."""
    scribe = LedgerWriter("call-1")
    for fact in facts:
        scribe.note(fact)
    async with asyncio.timeout(5):
        _, _ = await asyncio.gather(scribe.run(), scribe.close())


async def test_facts_keep_their_order_though_the_store_fails() -> None:
    book = Book()
    await written(book.fact("ringing", FULL, FULL), book.fact("answered", FULL), book.fact("turn"))
    assert book.written == ["ringing", "answered", "turn"]
    assert book.tries == ["ringing"] * 3 + ["answered"] * 2 + ["turn"]


async def test_a_fact_that_is_never_taken_does_not_take_the_others_along(
    caplog: pytest.LogCaptureFixture,
) -> None:
    book = Book()
    await written(book.fact("digit", *[FULL] * 9), book.fact("turn"))
    assert book.written == ["turn"]
    assert book.tries == ["digit"] * len(WAITS) + ["turn"]
    assert "call call-1: a fact could not be written down" in caplog.text


async def test_a_fact_that_is_wrong_is_not_tried_again() -> None:
    book = Book()
    await written(book.fact("digit", ValueError("no")), book.fact("turn"))
    assert book.tries == ["digit", "turn"]


async def test_facts_noted_while_it_writes_are_written_before_the_end() -> None:
    book, scribe = Book(), LedgerWriter("call-1")
    running = asyncio.create_task(scribe.run())
    for name in ("ringing", "answered"):
        scribe.note(book.fact(name))
        await asyncio.sleep(0)
    scribe.note(book.fact("turn", FULL))
    await scribe.close()
    await asyncio.wait_for(running, 5)
    assert book.written == ["ringing", "answered", "turn"]


async def test_more_than_it_can_hold_is_lost_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    book, facts = Book(), [str(number) for number in range(1030)]
    await written(*map(book.fact, facts))
    assert book.written == facts[:1024]
    assert caplog.text.count("a fact is lost") == 6


async def test_to_insist_gives_what_the_write_gives() -> None:
    book = Book()
    assert await insist("call-1", book.fact("end", FULL, FULL), WAITS) == "end"
    assert book.tries == ["end"] * 3


async def test_to_insist_ends_with_the_last_error() -> None:
    book, last = Book(), StoreError("still full")
    with pytest.raises(StoreError) as raised:
        await insist("call-1", book.fact("end", FULL, FULL, last), WAITS)
    assert raised.value is last


async def test_other_errors_are_told_at_once() -> None:
    book = Book()
    with pytest.raises(ValueError, match="no"):
        await insist("call-1", book.fact("end", ValueError("no")), WAITS)
    assert book.tries == ["end"]


async def test_a_stop_is_not_taken_for_a_failure() -> None:
    hanging = asyncio.Event()

    async def write() -> None:
        await hanging.wait()

    task = asyncio.create_task(insist("call-1", write, WAITS))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
