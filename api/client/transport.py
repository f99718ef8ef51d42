"""Requests with their retries, pages, files and streams: what every group of methods stands on."""

import asyncio
import contextlib
import os
import ssl
import tempfile
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from api.client.backoff import Attempts, Backoff
from api.client.errors import ApiError, OffhookError, UnreachableError
from api.client.reading import parse, read

M = TypeVar("M", bound=BaseModel)

#: A request's body: the model, or the JSON object that it stands for.
Json = Mapping[str, Any]
Query = Mapping[str, str | Sequence[str] | None]
"""None is left out."""

_PAGE: Final = 100
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_PASSING: Final = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)


class _Page(BaseModel):
    data: list[Any]
    next_cursor: str | None = None


class Transport:
    """The connections to one server. Enter it, or call `close` at the end."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_s: float = 30.0,
        silence_s: float = 60.0,
        backoff: Backoff | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        """
        Args:
            url: of the server, as `http://127.0.0.1:8080`.
            key: API key, `sk_…`.
            timeout_s: to connect, and for each answer; every retry has it anew.
            silence_s: after which a stream of events is opened anew; more than the server's
                `server.sse_heartbeat_s`.
            backoff: how failures are retried.
            verify: the certificates to trust, for a CA of your own.
        """
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}", "User-Agent": "offhook-client"},
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            verify=verify,
            trust_env=False,  # a proxy of the environment is no business of a local call
        )
        self._url = url
        self._silence = httpx.Timeout(timeout_s, read=silence_s)
        self._backoff = backoff or Backoff()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Query | None = None,
        json: BaseModel | Json | None = None,
        content: bytes | str | None = None,
        media_type: str | None = None,
        idempotency_key: str | None = None,
        good: frozenset[int] = frozenset(),
    ) -> httpx.Response:
        """Any request, with retries where they can do no harm; the methods are made of this.

        Args:
            method: in capitals.
            path: with its parts quoted.
            params: the query.
            json: the body; of a model, the fields that were set.
            content: the body, where it is no JSON.
            media_type: of `content`.
            idempotency_key: of a POST; one is made where none is given.
            good: answers that are taken as they are, beside 2xx.

        Raises ApiError, UnreachableError.
        """
        headers = {} if media_type is None else {"Content-Type": media_type}
        if method == "POST":
            headers["Idempotency-Key"] = idempotency_key or str(uuid.uuid4())
        if isinstance(json, BaseModel):
            json = json.model_dump(mode="json", exclude_unset=True)
        attempts = Attempts(self._backoff, method)
        while True:
            problem: OffhookError
            try:
                answer = await self._http.request(
                    method,
                    path,
                    params=_without_none(params),
                    json=json,
                    content=content,
                    headers=headers,
                )
            except httpx.RequestError as error:
                problem = self._unreachable(error)
            else:
                if answer.is_success or answer.status_code in good:
                    return answer
                if method == "DELETE" and answer.status_code == 404 and attempts.perhaps_done:
                    return answer  # it is gone: the answer that said so was lost
                problem = ApiError.of(answer.status_code, answer.headers, answer.content)
            await asyncio.sleep(attempts.failed(problem))

    async def _get(self, model: type[M], path: str) -> M:
        return read(model, parse((await self.request("GET", path)).content))

    async def _post(
        self,
        model: type[M],
        path: str,
        json: BaseModel | Json | None = None,
        idempotency_key: str | None = None,
    ) -> M:
        answer = await self.request("POST", path, json=json, idempotency_key=idempotency_key)
        return read(model, parse(answer.content))

    async def _write(self, model: type[M], method: str, path: str, json: BaseModel | Json) -> M:
        """PUT or PATCH."""
        return read(model, parse((await self.request(method, path, json=json)).content))

    async def _upload(self, model: type[M], path: str, csv: bytes | str, partial: bool) -> M:
        params = {"partial": "true"} if partial else None
        answer = await self.request(
            "POST", path, params=params, content=csv, media_type="text/csv; charset=utf-8"
        )
        return read(model, parse(answer.content))

    async def _every(
        self, model: type[M], path: str, params: Query | None = None, *, paged: bool = True
    ) -> AsyncGenerator[M, None]:
        """What a list holds, page after page."""
        asked = dict(params or {})
        if paged:
            asked["limit"] = str(_PAGE)
        while True:
            page = read(_Page, parse((await self.request("GET", path, params=asked)).content))
            for one in page.data:
                yield read(model, one)
            if page.next_cursor is None:
                return
            asked["cursor"] = page.next_cursor

    async def _save(self, path: str, file: Path | str) -> Path:
        """Write an answer to a file, which is there when it is whole."""
        target = Path(file)
        attempts = Attempts(self._backoff, "GET")
        while True:
            try:
                async with self._stream(path) as answer:
                    await _write_whole(answer.aiter_bytes(), target)
            except OffhookError as problem:
                await asyncio.sleep(attempts.failed(problem))
            else:
                return target

    @contextlib.asynccontextmanager
    async def _stream(
        self, path: str, headers: Mapping[str, str] | None = None, *, endless: bool = False
    ) -> AsyncIterator[httpx.Response]:
        """An answer whose body is still to come. Raises ApiError, UnreachableError."""
        timeout = self._silence if endless else self._http.timeout
        try:
            async with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if not answer.is_success:
                    body = await answer.aread()
                    raise ApiError.of(answer.status_code, answer.headers, body)
                yield answer
        except httpx.RequestError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.RequestError) -> UnreachableError:
        return UnreachableError(
            f"cannot reach {self._url} ({error or type(error).__name__}); "
            "is `offhook serve` running there?",
            sent=not isinstance(error, _NOT_SENT),
            passing=isinstance(error, _PASSING),
        )


def at(*parts: str) -> str:
    """A path under `/v1`; each part is quoted. Raises ValueError for one that is no name."""
    if wrong := [part for part in parts if part in {"", ".", ".."}]:
        raise ValueError(f"{wrong[0]!r} names nothing")
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _without_none(params: Query | None) -> dict[str, str | Sequence[str]] | None:
    if params is None:
        return None
    return {name: value for name, value in params.items() if value is not None}


async def _write_whole(chunks: AsyncIterator[bytes], target: Path) -> None:
    with whole_file(target) as file:
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """A file beside `target` that takes its place when it is complete."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
