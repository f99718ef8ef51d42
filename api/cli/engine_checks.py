"""What `offhook doctor` sees of engines on other machines: each is asked for a little."""

import asyncio
import time
from collections.abc import Awaitable, Sequence

from api.calls.engines import endpoint_engines
from api.settings import Settings
from models.openai.endpoint import new_client
from models.probing import hear, speak, think
from pbx.switch import Finding
from voice_loop.ports import EngineError


async def check_endpoints(settings: Settings) -> Sequence[Finding]:
    """One finding for each endpoint of `models`."""
    async with new_client() as client:
        llms, voices, transcribers = endpoint_engines(settings, client)
        checks = [
            *(_check(f"models.llms.{one.name}", think(one.engine)) for one in llms),
            *(_check(f"models.voices.{one.name}", speak(one.engine)) for one in voices),
            *(
                _check(f"models.transcribers.{one.name}", hear(one.engine, one.languages[0]))
                for one in transcribers
            ),
        ]
        return await asyncio.gather(*checks)


async def _check(setting: str, asked: Awaitable[None]) -> Finding:
    begun = time.monotonic()
    try:
        await asked
    except EngineError as error:
        return Finding(setting, ok=False, message=str(error))
    return Finding(setting, ok=True, message=f"answered in {time.monotonic() - begun:.1f} s")
