"""Browsers can call: what a server needs for that, with played engines."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from api.deployment import Deployment
from api.dialing.web import WebCalls
from api.http.services import Services
from pbx.media import MediaServer
from pbx.webrtc.gateway import WebConfig, WebGateway
from pbx.webrtc.ice import IceConfig
from tests.api.conftest import Bench
from tests.api.switchboard import Office


@asynccontextmanager
async def called_by_browsers(bench: Bench) -> AsyncIterator[tuple[Services, WebGateway]]:
    """The bench's services with web calls, two at most; no peer may be left at the end."""
    media = MediaServer("127.0.0.1", 42_200, 42_250)
    await media.start()
    dialer = Office(bench.store).dialer(max_concurrent=2)
    running = asyncio.create_task(dialer.run())
    await asyncio.sleep(0)
    config = WebConfig(IceConfig(ports=range(42_300, 42_400)), connect_timeout_s=3.0)
    gateway = WebGateway(media, config)
    services = bench.services
    deployment = Deployment(services.settings, services.store, services.engines, services.seal)
    yield replace(services, web=WebCalls(deployment, dialer, gateway)), gateway
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await gateway.close()
    await media.close()
    assert gateway.peers == 0
