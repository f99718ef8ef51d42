"""The HTTP tool: one request, with what the model gave, as its template says."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final

import httpx

from api.base.text import SECRETS, Variables, is_sensitive, variables_in
from api.egress.policy import EgressError
from api.egress.redaction import told
from api.egress.sealing import SealError
from api.resources.tool_fields import HttpTool
from api.telemetry.spans import traceparent
from api.tools.answer import Answer, result_of
from api.tools.inputs import InputError, parameters, read_inputs
from api.tools.request import Request, RequestError, request_of
from voice_loop.tools import ToolResult, ToolSpec

log = logging.getLogger(__name__)

#: Bytes of an answer that are read.
MAX_ANSWER: Final = 65_536

Secrets = Callable[[Collection[str]], Awaitable[Mapping[str, str]]]
"""The texts of those among the named secrets that there are. Raises SealError."""


class HttpRequest:
    """Implements `voice_loop.tools.Tool`."""

    def __init__(
        self,
        tool: HttpTool,
        *,
        call_id: str,
        values: Mapping[str, Any],
        now: Callable[[], datetime],
        say: str | None,
        client: httpx.AsyncClient,
        secrets: Secrets,
        traced: bool = False,
    ) -> None:
        """
        Args:
            tool: its template, opened: no sealed text in it.
            call_id: of the call, for the log.
            values: the call's variables and facts.
            now: the time where the person is.
            say: what the agent says while it waits.
            client: of `api.egress.guarded_http`.
            secrets: where `{{secret.…}}` is from.
            traced: whether the server is told the call's trace (W3C Trace Context).
        """
        self._tool = tool
        self._call_id = call_id
        self._values = values
        self._now = now
        self._client = client
        self._secrets = secrets
        self._traced = traced
        self.say = say
        self.spec = ToolSpec(tool.name, tool.description, parameters(tool.input_schema, now()))

    async def __call__(self, arguments: Mapping[str, Any]) -> ToolResult:
        tool = self._tool
        try:
            inputs = read_inputs(tool.input_schema, arguments, self._now())
            async with asyncio.timeout(tool.timeout_seconds):
                secrets = await self._needed_secrets()
                request = request_of(tool, Variables(self._values, {**secrets, **inputs}))
                answer = await self._sent(request)
        except (InputError, RequestError) as error:
            return _error(str(error))
        except TimeoutError:
            return self._failed(f"no answer within {tool.timeout_seconds:g} s")
        except EgressError as error:
            return self._failed(f"the request was not sent: {error}")
        except SealError as error:
            return self._failed(f"a secret cannot be opened: {error}")
        except (httpx.ConnectError, OSError):
            return self._failed("the server cannot be reached")
        except Exception as error:  # a library's message may quote a header
            return self._failed(f"the server did not answer properly ({type(error).__name__})")
        return result_of(answer, [*secrets.values(), *_sensitive(tool, request)])

    async def _needed_secrets(self) -> dict[str, str]:
        tool = self._tool
        texts = [pair.value for pair in (*tool.headers, *tool.query_params)]
        named = {
            name.removeprefix(SECRETS)
            for text in (*texts, tool.body_template)
            for name in variables_in(text)
            if name.startswith(SECRETS)
        }
        found = await self._secrets(named) if named else {}
        return {SECRETS + name: text for name, text in found.items()}

    async def _sent(self, request: Request) -> Answer:
        headers = list(request.headers)
        if request.body is not None and not any(
            name.lower() == b"content-type" for name, _ in headers
        ):
            headers.append((b"Content-Type", b"application/json"))
        if self._traced:
            headers.append((b"traceparent", traceparent(self._call_id).encode()))
        async with self._client.stream(
            request.method, request.url, headers=headers, content=request.body
        ) as response:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise RequestError("the server answered in a compressed form")
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > MAX_ANSWER:
                    break
        kind = response.headers.get("content-type", "")
        cut = len(body) > MAX_ANSWER
        return Answer(response.status_code, kind, bytes(body[:MAX_ANSWER]), cut)

    def _failed(self, reason: str) -> ToolResult:
        log.warning("call %s: tool %s: %s", self._call_id, self._tool.name, reason)
        return _error(reason)


def _error(reason: str) -> ToolResult:
    return ToolResult(told(f"It failed: {reason}.", ()), is_error=True)


def _sensitive(tool: HttpTool, request: Request) -> list[str]:
    """Values that open doors: of headers, each also without its scheme (`Bearer …`), and of query
    parameters."""
    values = [value.decode() for name, value in request.headers if is_sensitive(name.decode())]
    asked = [pair.value for pair in tool.query_params if is_sensitive(pair.key)]
    return [*values, *(value.partition(" ")[2] for value in values), *asked]
