"""The engines of today that take part in the replay of a recording: those that judge sounds."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

from models.line_detector import LineDetectors
from models.onset import OnsetNet
from voice_loop.audio import Samples
from voice_loop.ports import EngineError, Engines, Transcript

_ABSENT: Final = "no engine is loaded: the recording answers"


def detecting_engines() -> Engines:
    """Those; the recording answers for the others."""
    return Engines(_Absent(), _Absent(), _Absent(), LineDetectors().detector, onset=OnsetNet())


async def _nothing() -> AsyncIterator[Any]:
    raise EngineError(_ABSENT)
    yield  # type: ignore[unreachable]


class _Absent:
    """An engine that nobody is to ask."""

    rate = 8000

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:  # noqa: ARG002
        raise EngineError(_ABSENT)

    async def stream(self, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        async for piece in _nothing():
            yield piece

    def release(self, cache_key: str) -> None:
        """Nothing is kept."""
