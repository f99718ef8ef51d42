"""The composition root: where the rooms of the house are joined into one running server."""

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from api.calls.boxing import Boxes
from api.calls.brought import with_room
from api.calls.capturing import capturing
from api.calls.conversing import conversation_config, is_recorded
from api.calls.engine_watch import EngineWatch
from api.calls.engines import NOTHING_BROUGHT, Brought, engine_registry, engines_of, parts_of
from api.calls.recording_folder import FolderError, RecordingFolder, open_folder
from api.calls.recording_keeper import RecordingKeeper
from api.calls.retention import Housekeeper
from api.calls.runner import RunnerConfig
from api.calls.several_pbxs import SeveralPbxs
from api.calls.switches import listening_address, make_switch
from api.compat.endpoints import ENDPOINTS
from api.compat.webhooks import webhook_body
from api.console.app import console
from api.deployment import Deployment
from api.dialing.dialer import Dialer
from api.dialing.inbound import InboundCalls
from api.dialing.web import WebCalls, web_config
from api.egress.sealing import Seal
from api.http.app import create_app
from api.http.descriptors import TooFewDescriptorsError, connections_within, raise_limit
from api.http.server import http_server, listen
from api.http.services import Check, Services
from api.messaging.sender import MessageSender
from api.messaging.ways import WayOutError, WaysOut, ways_out
from api.messaging.writing import Writer
from api.orders.campaigns import CampaignFeeder
from api.orders.freezing import Freezer
from api.resources.call import Call
from api.settings import Settings
from api.settings.server import Server as ServerSettings
from api.store import Store, StoreError
from api.store.leased import while_leased
from api.telemetry.engines import counted
from api.telemetry.meter import Meter
from api.telemetry.standing import Standing
from api.telemetry.tracer import Tracer, TracesError
from api.tools.toolbox import Toolbox
from api.webhooks.deliverer import WebhookDeliverer
from models.load import EngineConfig, LoadedEngines, load_engines
from models.trial import try_engines
from pbx.incoming import IncomingCall, Refusal
from pbx.media import MediaServer
from pbx.switch import Switch, SwitchError, SwitchNotReachedError
from pbx.webrtc.gateway import WebGateway
from voice_loop.ports import Engines

log = logging.getLogger(__name__)

Say = Callable[[str], None]

#: The media tick shares the interpreter with everything else: let it in every half millisecond.
_SWITCH_INTERVAL_S = 0.0005
#: Replies made at one time; more calls than that wait their turn for a few milliseconds.
_MAX_SEQUENCES = 16
_RECONNECT_S = (1.0, 2.0, 5.0, 10.0)


class StartError(Exception):
    """The server cannot start; the message names the setting and the fix."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    settings: Settings
    store: Store
    switch: Switch
    media: MediaServer
    engines: LoadedEngines
    dialer: Dialer
    webhook_secret: str = field(repr=False)
    url: str
    """Where the API listens, as `http://host:port`."""


@contextlib.asynccontextmanager
async def serving(
    settings: Settings,
    say: Say = lambda _: None,
    bring: Callable[[LoadedEngines], Brought] = lambda _: NOTHING_BROUGHT,
) -> AsyncIterator[Server]:
    """Run the whole server for the time of the `async with`.

    Args:
        settings: all of them.
        say: told what is being done, a line at a time.
        bring: gives engines that calls may name beside the loaded ones.

    Raises StartError, and the errors of the parts: EngineError, MediaError, SealError, StoreError.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    async with contextlib.AsyncExitStack() as stack:
        limits = _limits(settings)
        listener = stack.enter_context(_listen(settings))
        url = f"http://{settings.server.host}:{listener.getsockname()[1]}"
        store = await Store.open(settings.store, exclusive=True)
        stack.push_async_callback(store.close)
        seal = await _seal(settings, store)
        secret = await _webhook_secret(settings, store)
        folder = await _recording_folder(settings, store)
        await store.numbers.seed(settings.pbx.trunk, settings.calls.numbers)
        for name, pbx in settings.pbxs.items():
            await store.trunks.belongs(pbx.trunk, name)
        media = media_server(settings)
        await media.start()
        stack.push_async_callback(media.close)
        say(f"Loading the engines (model set {settings.models.set})")
        engines = await asyncio.to_thread(_load_engines, settings, say)
        stack.push_async_callback(asyncio.to_thread, engines.close)
        brought = bring(engines)
        registry = await stack.enter_async_context(engine_registry(settings, engines, brought))

        async def receive(call: IncomingCall) -> Refusal | None:
            return await inbound.receive(call)

        several = any(trunk.pbx is not None for trunk in await store.trunks.list())
        pbx_of = partial(_pbx_of, store) if several else None
        switch = make_switch(settings, media, receive, pbx_of)
        stack.push_async_callback(switch.close)
        ways = _ways_out(settings, switch)
        stack.push_async_callback(ways.close)
        toolbox = await stack.enter_async_context(Toolbox(settings, store, seal, ways))
        meter = Meter()
        store.bus.watchers.append(meter.event)

        tracer = _tracer(settings, store, meter)
        if tracer is not None:
            store.bus.watchers.append(tracer.event)
            tracing = asyncio.create_task(_until_done(tracer.run))
            stack.push_async_callback(_ended, tracing)

        def engines_for(call: Call) -> Engines:
            return counted(engines_of(registry, call, seal), meter)

        watch = EngineWatch(
            partial(parts_of, registry, seal=seal),
            registry.remote_parts,
            store.claims.engines_back,
        )
        stack.push_async_callback(watch.close)
        watch.look()
        zone = settings.calls.default_timezone
        capture = await stack.enter_async_context(capturing(settings))
        deployment = Deployment(settings, store, registry, seal)
        dialer = Dialer(
            store,
            switch,
            engines_for,
            RunnerConfig(
                ring_timeout_s=settings.calls.ring_timeout_s,
                conversation=lambda call: conversation_config(
                    settings, with_room(call, registry, time.time(), zone)
                ),
                recordings=folder,
                recording=settings.recordings,
                boxes=Boxes(settings, folder),
                records=partial(is_recorded, settings),
                calls=settings.calls,
                tools=toolbox.tools_for,
                doubt=watch.doubt,
                capture=capture,
                meter=meter,
                freeze=Freezer(deployment),
            ),
            settings.calls.max_concurrent,
            max_analyses=settings.calls.max_analyses,
            hinders=watch.hinders,
        )
        gateway = WebGateway(media, web_config(settings.web))
        stack.push_async_callback(gateway.close)
        server = Server(settings, store, switch, media, engines, dialer, secret, url)
        services = Services(
            settings=settings,
            store=store,
            engines=registry,
            health=lambda: _health(server, watch),
            seal=seal,
            url=settings.server.public_url or url,
            web=WebCalls(deployment, dialer, gateway, watch.problem)
            if settings.web.enabled
            else None,
            node=folder.node,
            meter=meter,
            standing=lambda: _standing(server, watch),
        )
        inbound = InboundCalls(services, dialer, watch.problem)
        app = create_app(services, ENDPOINTS, console)
        deliverer = WebhookDeliverer(
            store, settings.webhooks, partial(webhook_body, services), meter=meter, tracer=tracer
        )
        keeper = RecordingKeeper(store, folder, settings.retention.black_boxes_days)
        housekeeper = Housekeeper(store, settings.retention, keeper)
        writer = Writer(store, lambda call: engines_for(call).llm, services.url, zone)
        jobs = {
            "webhooks": deliverer.run,
            "housekeeping": housekeeper.run,
            "messages": MessageSender(store, writer, ways, settings.calls).run,
        }
        for job, work in jobs.items():
            leased = partial(while_leased, store.leases, job, dialer.node_id, work)
            stack.push_async_callback(_ended, asyncio.create_task(_until_done(leased)))
        keeping = partial(keeper.run, settings.retention.interval_s)
        stack.push_async_callback(_ended, asyncio.create_task(_until_done(keeping)))
        pacing = asyncio.create_task(_until_done(CampaignFeeder(services).run))
        stack.push_async_callback(_ended, pacing)
        stack.push_async_callback(_ended, asyncio.create_task(_dial(server)))
        await stack.enter_async_context(http_server(app, listener, limits))
        say(f"Listening on {url}")
        yield server


def media_server(settings: Settings) -> MediaServer:
    """The RTP side under these settings, not started."""
    rtp = settings.rtp
    return MediaServer(
        listening_address(settings),
        rtp.port_min,
        rtp.port_max,
        max_legs=rtp.max_legs,
        latch=rtp.latch,
        sources=rtp.sources,
    )


def engine_config(settings: Settings) -> EngineConfig:
    """The engines' share of the settings."""
    models = settings.models
    return EngineConfig(
        set_name=models.set,
        directory=models_directory(settings),
        device=models.device,
        compute_type=models.compute_type,
        threads=models.threads,
        context_tokens=models.context_tokens,
        cpu_variant=models.cpu_variant,
        max_sequences=min(
            settings.calls.max_concurrent + settings.calls.max_analyses, _MAX_SEQUENCES
        ),
        timeout_s=models.timeout_s,
    )


def models_directory(settings: Settings) -> Path:
    """The folder of pulled model sets."""
    if settings.models.dir is not None:
        return settings.models.dir
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(data) / "offhook/models"


def _load_engines(settings: Settings, say: Say) -> LoadedEngines:
    config = engine_config(settings)
    try_engines(config, settings.store.path.with_name("engines.tried"), say)
    return load_engines(config, say)


async def _dial(server: Server) -> None:
    """Connect to the PBX, settle what an earlier run left, then dial until cancelled.

    A PBX that is down or refuses us is reported and tried again: the API stays up meanwhile.
    """
    await _until_done(server.switch.start)
    await _until_done(server.dialer.reconcile)
    await _until_done(server.dialer.run)


async def _until_done(step: Callable[[], Awaitable[None]]) -> None:
    """Do a step, again when it fails: only a stop ends what the server is for."""
    tries = 0
    while True:
        try:
            return await step()
        except (SwitchError, StoreError) as error:
            reason: Exception = error
        except Exception as error:
            log.exception("interrupted by a fault of ours")
            reason = error
        wait = _RECONNECT_S[min(tries, len(_RECONNECT_S) - 1)]
        log.error("%s (trying again in %.0f s)", reason, wait)
        await asyncio.sleep(wait)
        tries += 1


async def _ended(task: asyncio.Task[None]) -> None:
    if not task.done():
        task.cancel()
    results = await asyncio.gather(task, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            log.error("a part of the server had failed", exc_info=result)


def _limits(settings: Settings) -> ServerSettings:
    """Of the HTTP server, as far as the system lets us open files."""
    try:
        most = connections_within(raise_limit(), settings)
    except TooFewDescriptorsError as error:
        raise StartError(str(error)) from error
    return settings.server.model_copy(update={"max_connections": most})


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.server.host, settings.server.port
    try:
        return listen(host, port)
    except OSError as error:
        raise StartError(
            f"cannot listen on {host}:{port} ({error.strerror}); "
            "choose a free one with `server.host` and `server.port`"
        ) from error


async def _seal(settings: Settings, store: Store) -> Seal:
    seal = Seal.of(settings.store)
    await store.secrets.check_seal(seal)
    return seal


async def _recording_folder(settings: Settings, store: Store) -> RecordingFolder:
    store_id = await store.organization.id()
    try:
        return await asyncio.to_thread(open_folder, settings.recordings.dir, store_id)
    except FolderError as error:
        raise StartError(str(error)) from error


def _ways_out(settings: Settings, switch: Switch) -> WaysOut:
    try:
        return ways_out(settings, switch)
    except WayOutError as error:
        raise StartError(str(error)) from error


def _tracer(settings: Settings, store: Store, meter: Meter) -> Tracer | None:
    if settings.traces.url is None:
        return None
    try:
        return Tracer(settings.traces, store, meter)
    except TracesError as error:
        raise StartError(str(error)) from error


async def _webhook_secret(settings: Settings, store: Store) -> str:
    if settings.webhooks.secret is not None:
        return settings.webhooks.secret.get_secret_value()
    return (await store.signing_secret.get()).secret


async def _trunks(store: Store) -> Mapping[str, Check]:
    """Which trunks rest: no fault that a restart would mend. Nothing where the store cannot tell,
    which is told elsewhere."""
    try:
        trunks = await store.trunks.list()
    except StoreError:
        return {}
    resting = ", ".join(repr(trunk.name) for trunk in trunks if trunk.resting_until is not None)
    told = f"resting as calls failed: {resting}; /v1/trunks tells why" if resting else "none rests"
    return {"trunks": Check(True, told)}


async def _pbx_of(store: Store, trunk: str) -> str | None:
    """Raises NotFound, SwitchNotReachedError."""
    try:
        return (await store.trunks.get(trunk)).pbx
    except StoreError as error:
        raise SwitchNotReachedError(f"nobody knows which PBX has {trunk!r}: {error}") from error


def _pbx_health(switch: Switch) -> Check:
    """Good as long as there is one to dial over."""
    if isinstance(switch, SeveralPbxs):
        told = [
            f"{name}: {f'connected, {one.calls} calls' if one.connected else 'no link'}"
            for name, one in switch.parts.items()
        ]
        hint = (
            "" if all(one.connected for one in switch.parts.values()) else "; see `offhook doctor`"
        )
        return Check(switch.connected, ", ".join(told) + hint)
    told_one = "connected" if switch.connected else "no link to the PBX; see `offhook doctor`"
    return Check(switch.connected, told_one)


def _standing(server: Server, watch: EngineWatch) -> Standing:
    switch = server.switch
    parts = switch.parts if isinstance(switch, SeveralPbxs) else {"pbx": switch}
    return Standing(
        active=server.dialer.active,
        pbxs={name: one.connected for name, one in parts.items()},
        lateness=server.media.lateness(),
        strays=server.media.stray_packets,
        models=not watch.look(),
    )


async def _health(server: Server, watch: EngineWatch) -> Mapping[str, Check]:
    pbx = _pbx_health(server.switch)
    wrong, model_set = watch.look(), server.settings.models.set
    lateness = server.media.lateness()
    return {
        "pbx": pbx,
        "models": Check(not wrong, "; ".join(wrong) or f"set {model_set} is loaded"),
        "media": Check(
            True,
            f"tick late by {lateness.p99_ms:.1f} ms at the 99th percentile, "
            f"{server.media.stray_packets} stray packets dropped",
        ),
        "calls": Check(True, f"{server.dialer.active} under way"),
        **await _trunks(server.store),
    }
