"""The real application on a real server with a real database; only the PBX is played."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

import api.http.app
from api.calls.recording_folder import open_folder
from api.compat.endpoints import ENDPOINTS
from api.console.app import console
from api.egress.sealing import Seal, new_key
from api.http.app import create_app
from api.http.server import http_server, listen
from api.http.services import Check, Services
from api.settings import StoreSection, load_settings
from api.store import Store
from tests.api.played_engines import played_engines
from tests.postgres import PostgresServer, at

T = TypeVar("T")

SETTINGS = {
    "OFFHOOK_CALLS__NUMBERS": "+15559876543,+15550100099",
    "OFFHOOK_CALLS__MAX_CALLS_PER_NUMBER_PER_DAY": "0",
    "OFFHOOK_WEBHOOKS__ALLOW_HTTP": "true",
    "OFFHOOK_WEBHOOKS__ALLOWED_NETWORKS": "127.0.0.0/8",
    "OFFHOOK_SERVER__SSE_HEARTBEAT_S": "0.2",
    "OFFHOOK_SERVER__MAX_BODY_BYTES": "65536",
    "OFFHOOK_PBXS__BERLIN__TRUNK": "berlin",
    "OFFHOOK_PBXS__BERLIN__INBOUND": "false",
}

#: Ways to send messages, for agents that have them sent.
EQUIPPED = {
    "OFFHOOK_SMS__KIND": "http",
    "OFFHOOK_SMS__HTTP__URL": "http://127.0.0.1:9/sms",
    "OFFHOOK_SMTP__HOST": "127.0.0.1",
    "OFFHOOK_SMTP__FROM_ADDRESS": "calls@example.org",
}
#: What hosted services call the engines.
ALIASES = {
    "gpt-4.1": "local",
    "ministral-3-8b-instruct": "local",
    "openai/gpt-4.1": "local",
    "nebius/llama-3/70b": "local",
    "openai/gpt-realtime": "local",
    "openai/marin": "en",
    "elevenlabs/rachel": "en",
    "cartesia/sofia": "es",
}

SEAL = Seal(new_key())


@dataclass
class Bench:
    """A running server and what stands behind it."""

    store: Store
    services: Services
    client: httpx.AsyncClient
    key: str
    health: dict[str, Check]
    recordings: Path
    asked: list[str | None]
    """The calls that whoever runs them was to look at: to end or transfer them."""

    async def create(self, **body: Any) -> dict[str, Any]:
        """Place a call that must be accepted."""
        response = await self.client.post("/v1/calls", json={"to": "+15551234567"} | body)
        assert response.status_code == 201, response.text
        answer: dict[str, Any] = response.json()
        return answer


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_stores: runs on SQLite and on PostgreSQL")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Make up no requests for a run that sends none: that takes longer than to collect the rest."""
    needless = config.option.markexpr == "bed" and collection_path.name == "test_schemathesis.py"
    return True if needless else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "where" in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("both_stores")
        kinds = ["sqlite", "postgresql"] if both else ["sqlite"]
        metafunc.parametrize("where", kinds, indirect=True)


@pytest.fixture(scope="session", autouse=True)
def described_once() -> Iterator[None]:
    """The many servers of a run serve the same endpoints, so their reference is made once."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("openapi_document", "reference_page", "llms_text"):
            patch.setattr(api.http.app, name, _once(getattr(api.http.app, name)))
        yield


def _once(describe: Callable[[T], Any]) -> Callable[[T], Any]:
    """`describe`, which remembers what it said of the very same thing."""
    said: dict[int, tuple[T, Any]] = {}

    def remembering(subject: T) -> Any:
        if id(subject) not in said:
            said[id(subject)] = subject, describe(subject)
        return said[id(subject)][1]

    return remembering


@pytest.fixture(scope="session")
async def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite store, to be copied: to migrate one takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "offhook.db"
    await (await Store.open(path)).close()
    return path


@pytest.fixture
async def where(
    request: pytest.FixtureRequest, migrated: Path, tmp_path: Path
) -> AsyncIterator[StoreSection]:
    """Where an empty store is."""
    if request.param == "sqlite":
        path = tmp_path / "data" / "offhook.db"
        path.parent.mkdir()
        shutil.copy(migrated, path)
        yield StoreSection(path=path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    async with server.database() as url:
        yield at(url)


@pytest.fixture
async def store(where: StoreSection) -> AsyncIterator[Store]:
    opened = await Store.open(where)
    yield opened
    await opened.close()


@dataclass
class Clock:
    """A ledger's time, which the test moves."""

    now: float = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(where: StoreSection, clock: Clock) -> AsyncIterator[Store]:
    """An empty store with a time of its own."""
    opened = await Store.open(where, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def bench(store: Store, tmp_path: Path) -> AsyncIterator[Bench]:
    async with benching(store, tmp_path) as one:
        yield one


@pytest.fixture
async def equipped(store: Store, tmp_path: Path) -> AsyncIterator[Bench]:
    """With everything configured that an agent may refer to."""
    async with benching(store, tmp_path, EQUIPPED, ALIASES) as one:
        yield one


@asynccontextmanager
async def benching(
    store: Store,
    folder: Path,
    more: Mapping[str, str] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> AsyncIterator[Bench]:
    """A running server.

    Args:
        store: its store.
        folder: for recordings.
        more: settings.
        aliases: of engines.
    """
    recordings = folder / "recordings"
    node = open_folder(recordings, "tests").node
    own = {
        "OFFHOOK_RECORDINGS__DIR": str(recordings),
        "OFFHOOK_STORE__PATH": str(folder / "data" / "offhook.db"),
        **(more or {}),
    }
    settings = load_settings(None, SETTINGS | own)
    asked: list[str | None] = []
    store.notices.subscribe("control", asked.append)
    health = {"pbx": Check(True, "logged in")}

    async def ask_health() -> Mapping[str, Check]:
        return health

    listener = listen("127.0.0.1", 0)
    url = "http://{}:{}".format(*listener.getsockname())
    engines = played_engines("en", "es", aliases=aliases)
    services = Services(settings, store, engines, SEAL, ask_health, url, node)
    await store.numbers.seed(settings.pbx.trunk, settings.calls.numbers)
    _, key = await store.keys.create("tests")
    with listener:
        async with (
            http_server(create_app(services, ENDPOINTS, console), listener, settings.server),
            httpx.AsyncClient(
                base_url=url,
                headers={"Authorization": f"Bearer {key}"},
                timeout=10,
                trust_env=False,
                verify=False,  # to read the certificates takes longer than all else here
            ) as client,
        ):
            yield Bench(store, services, client, key, health, recordings, asked)
