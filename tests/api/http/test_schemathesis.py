"""Requests made of the OpenAPI document, good and bad ones, to the real server on a real store.

No request may end in a 5xx, in a status that is not documented or in an answer that does not match
its schema; what the document does not allow is refused; without a key nothing is told.
"""

import asyncio
import contextlib
import queue
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection

from api.compat.endpoints import ENDPOINTS
from api.http.app import create_app
from api.http.openapi import openapi_document
from api.http.services import Check, Services
from api.settings import StoreSection, load_settings
from api.store import Store
from tests.api import story
from tests.api.conftest import SEAL, SETTINGS
from tests.api.played_engines import played_engines

DOCUMENT = openapi_document(ENDPOINTS)

#: The caller number of the server.
OURS = "+15550100042"
#: How many requests are made up for each operation, beside those at the edges of its schema.
EXAMPLES = 8

schema = schemathesis.openapi.from_dict(
    DOCUMENT,
    config=SchemathesisConfig.from_dict(
        {
            "generation": {"with-security-parameters": False},  # the test's own key is sent
            "checks": {
                # What a hosted service has and nobody can have at home is 501.
                "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", 501]},
                # A schema cannot tell all that is wrong: that a number is not one of ours.
                "positive_data_acceptance": {"enabled": False},
                # `If-Match` is looked at before the body is (RFC 9110 13.2.1).
                "negative_data_rejection": {
                    "expected-statuses": [400, 401, 403, 404, 405, 408, 409, 412, 413, 422, 501]
                },
            },
        }
    ),
)


@dataclass
class Served:
    """A server with something of every kind in its store."""

    url: str
    key: str
    ids: dict[str, str] = field(default_factory=dict)
    """By name of the path's parameter."""


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    store = await Store.open(StoreSection(path=folder / "offhook.db"))
    _, key = await store.keys.create("tests", rate_limit_per_minute=0)
    call = await story.completed(store)
    listener = socket.create_server(("127.0.0.1", 0))

    async def health() -> Mapping[str, Check]:
        return {"pbx": Check(True, "logged in")}

    own = {"OFFHOOK_RECORDINGS__DIR": str(folder), "OFFHOOK_CALLS__NUMBERS": OURS}
    loaded = load_settings(None, SETTINGS | own)
    await store.numbers.seed(loaded.pbx.trunk, loaded.calls.numbers)
    services = Services(loaded, store, played_engines("en"), SEAL, health)
    server = uvicorn.Server(
        uvicorn.Config(create_app(services, ENDPOINTS), log_level="critical", lifespan="off")
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    served = Served(f"http://127.0.0.1:{listener.getsockname()[1]}", key)
    try:
        await create_examples(served)
        served.ids["call_id"] = call.id
        yield served
    finally:
        server.should_exit = True
        await task
        listener.close()
        await store.close()


async def create_examples(served: Served) -> None:
    """Make one of everything that can be made, of the document's own examples."""
    async with httpx.AsyncClient(
        base_url=served.url, headers={"Authorization": f"Bearer {served.key}"}, trust_env=False
    ) as client:
        # A call needs its number, and must not be on the list yet; some need an agent.
        first = ["/v1/trunks", "/v1/numbers", "/v1/agents", "/v1/calls", "/v1/campaigns"]
        first += [path for path in DOCUMENT["paths"] if not path.startswith("/v1/")]
        for path in (*first, *(path for path in DOCUMENT["paths"] if path not in first)):
            item = DOCUMENT["paths"][path]
            content = item.get("post", {}).get("requestBody", {}).get("content", {})
            if "{" in path or "application/json" not in content:
                continue
            body = dict(content["application/json"]["example"])
            agent_id = served.ids.get("agent_id")
            known = {"agent_id": agent_id, "assistant_id": agent_id, "from_number": OURS}
            body |= {name: value for name, value in known.items() if name in body}
            answer = await client.post(path, json=body)
            for other in DOCUMENT["paths"]:
                if other.startswith(f"{path}/{{") and other.count("/") == path.count("/") + 1:
                    assert answer.status_code in {200, 201}, (path, answer.text)
                    name = other.removeprefix(f"{path}/{{").removesuffix("}")
                    where = answer.headers.get("location") or f"/{answer.json()['id']}"
                    served.ids[name] = unquote(where.rsplit("/", 1)[1])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """In a thread: requests are made by code that waits for its answers."""
    folder = tmp_path_factory.mktemp("schemathesis")
    done = threading.Event()
    found: queue.Queue[Served | BaseException] = queue.Queue()

    async def serve() -> None:
        async with serving(folder) as one:
            found.put(one)
            await asyncio.to_thread(done.wait)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            found.put(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    one = found.get(timeout=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setattr("api.http.auth.FAILURES_PER_MINUTE", 1_000_000)
        try:
            if isinstance(one, BaseException):
                raise one
            yield one
        finally:
            done.set()
            thread.join(30)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_what_the_document_allows_and_what_it_does_not(
    case: schemathesis.Case[Any], served: Served
) -> None:
    known = {name: served.ids[name] for name in case.path_parameters if name in served.ids}
    if known and case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE:
        case.path_parameters = {**case.path_parameters, **known}
    case.call_and_validate(
        base_url=served.url,
        headers={"Authorization": f"Bearer {served.key}"},
        timeout=10,
        # Of a body that is no JSON, the schema says no more than that it is text.
        excluded_checks=[negative_data_rejection] if case.media_type == "text/csv" else [],
    )
