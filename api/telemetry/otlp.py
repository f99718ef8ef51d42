"""Spans as OpenTelemetry's protocol has them; needs the extra `otel`."""

from collections.abc import Callable, Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from api.telemetry.spans import Span

_KINDS: Final = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
}
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_NS: Final = 1_000_000_000


def encoder(service_name: str) -> Callable[[Sequence[Span]], bytes]:
    """Gives what makes the body of an OTLP request (`ExportTraceServiceRequest`)."""
    resource = Resource({"service.name": service_name})
    scope = InstrumentationScope("offhook")

    def encode(spans: Sequence[Span]) -> bytes:
        request = encode_spans([_readable(one, resource, scope) for one in spans])
        body: bytes = request.SerializeToString()
        return body

    return encode


def _readable(span: Span, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    return ReadableSpan(
        span.name,
        context=_context(span.trace_id, span.span_id),
        parent=None if span.parent_id is None else _context(span.trace_id, span.parent_id),
        resource=resource,
        attributes=span.attributes,
        kind=_KINDS[span.kind],
        status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
        start_time=int(span.begun * _NS),
        end_time=int(span.ended * _NS),
        instrumentation_scope=scope,
    )


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=_SAMPLED)
