"""The process of the telephones: `python -m api.lab.office FD`, FD being a pipe to the exchange."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

from api.lab.caller import Caller, Pressed, Said, Told
from api.lab.exchange import Fetch, Kept, Message, Order, Over, PickedUp, Ready
from api.lab.script import script_of
from api.lab.telephone import Telephone
from pbx.codecs import CODECS

#: How long a call may take to reach its telephone, and be talked on.
_RINGS_S: Final = 20.0
_LONGEST_S: Final = 180.0


class Office:
    """Serves telephones over a pipe."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe
        self._kept: dict[int, Kept] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = asyncio.Event()

    async def serve(self) -> None:
        """Serve until the other side is gone."""
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._take)
        await self._closed.wait()
        for task in self._tasks:
            task.cancel()

    def _take(self) -> None:
        try:
            while self._pipe.poll():
                match self._pipe.recv():
                    case Order() as order:
                        task = asyncio.create_task(self._telephone(order))
                        self._tasks.add(task)
                        task.add_done_callback(self._tasks.discard)
                    case Fetch(call):
                        self._pipe.send((call, self._kept.pop(call)))
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            self._closed.set()

    async def _telephone(self, order: Order) -> None:
        def tell(message: Message) -> None:
            self._pipe.send((order.call, message))

        conditions = order.scenario.line
        script = script_of(order.scenario, order.library, order.pick)
        async with Telephone(CODECS[order.codec], conditions, order.pick) as telephone:
            tell(Ready(telephone.port))
            reached = await telephone.rung(_RINGS_S)
            now = time.monotonic()
            caller = Caller(script, order.pick, _later(tell, now))
            if reached:
                tell(PickedUp(now))
                await telephone.talk(caller, now, _LONGEST_S)
        channels = (caller.agent.whole, caller.person.whole, caller.line.whole)
        self._kept[order.call] = Kept(*channels, caller.spoken, caller.unplaced)
        tell(Over(reached))


def _later(tell: Callable[[Message], None], began_at: float) -> Callable[[Told], None]:
    """Tells what a caller does in the time of both processes."""

    def told(message: Told) -> None:
        match message:
            case Said(words):
                tell(Said([(began_at + at, word) for at, word in words]))
            case Pressed():
                tell(message)

    return told


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the run is over, and we had something to tell
        asyncio.run(Office(Connection(int(sys.argv[1]))).serve())
