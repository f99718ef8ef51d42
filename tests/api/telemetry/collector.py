"""An OTLP/HTTP collector on loopback, which keeps the spans that it is sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.server import http_server, listen


@dataclass
class Collector:
    """What came, and what it answers."""

    url: str = ""
    status: int = 200
    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        body = await request.body()
        self.headers.append(dict(request.headers))
        self.bodies.append(body)
        if self.status == 200:
            told = ExportTraceServiceRequest.FromString(body)
            for resource in told.resource_spans:
                self.services |= {one.value.string_value for one in resource.resource.attributes}
                for scope in resource.scope_spans:
                    self.spans += scope.spans
        return Response(b"", self.status, {"Location": "http://127.0.0.1:9/elsewhere"})


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens."""
    collector = Collector()
    app = Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])])
    with listen("127.0.0.1", 0) as listener:
        collector.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces"
        async with http_server(app, listener):
            yield collector
