"""One configured server: where it is, its key, and its answers as `EngineError` when they fail."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from voice_loop.ports import EngineError

#: Of an error's body, what is told.
_MOST_TOLD: Final = 200
_MASK: Final = "********"
#: Bodies that find fault with a request may repeat it, and so what was said on the line.
_REPEATING: Final = frozenset({400, 422})
#: What JSON that is none, of another form or nested without end provokes in its reader.
STRANGE: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Endpoint:
    """A server that a setting, or an agent's `llm`, names."""

    setting: str
    """What names it, for error messages: `models.llms.big`."""
    url: str
    """Base URL, as `http://10.0.0.5:8000/v1`."""
    model: str
    """The model's name there."""
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 15.0
    """Seconds that each wait may take."""

    @asynccontextmanager
    async def post(
        self, client: httpx.AsyncClient, path: str, **content: Any
    ) -> AsyncGenerator[httpx.Response, None]:
        """Send a request; gives the answer once its head is there and says 200.

        Args:
            client: follows no redirects and heeds no environment.
            path: below the base URL.
            content: as `httpx.AsyncClient.stream` takes it.

        Raises EngineError, also for what goes wrong while the body is read.
        """
        # An answer that is packed could be unpacked to any size.
        headers = {"Accept-Encoding": "identity"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        try:
            async with client.stream(
                "POST",
                f"{self.url.rstrip('/')}/{path}",
                headers=headers,
                timeout=self.timeout_s,
                **content,
            ) as response:
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise self.error("it answered in a compressed form")
                if response.status_code != 200:
                    raise self.error(await self._refusal(response))
                yield response
        except httpx.TimeoutException as error:
            raise self.too_late() from error
        # What an egress rule refuses is a ValueError.
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError) as error:
            raise self.error(f"{type(error).__name__}: {error}".rstrip(": ")) from error

    async def reach(self, client: httpx.AsyncClient) -> None:
        """Ask for the list of models, which costs the server nothing: whether it has one or not,
        it is there. Raises EngineError where it is not, or says that it cannot serve now."""
        headers = {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}
        url = f"{self.url.rstrip('/')}/models"
        try:
            async with client.stream("GET", url, headers=headers, timeout=self.timeout_s) as answer:
                if answer.status_code >= 500:
                    raise self.error(f"it answered {answer.status_code}")
        except httpx.TimeoutException as error:
            raise self.too_late() from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError) as error:
            raise self.error(f"{type(error).__name__}: {error}".rstrip(": ")) from error

    def error(self, what: str) -> EngineError:
        """What went wrong, with the setting."""
        if self.api_key is not None:
            what = what.replace(self.api_key, _MASK)
        return EngineError(f"`{self.setting}`: {what}")

    def too_late(self) -> EngineError:
        """It did not answer in time."""
        return self.error(f"nothing came for {self.timeout_s:g} s")

    @staticmethod
    async def _refusal(response: httpx.Response) -> str:
        if response.has_redirect_location:
            return f"it answered {response.status_code}, a redirect, which is not followed"
        if response.status_code in _REPEATING:
            return f"it refused the request with {response.status_code}"
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) >= _MOST_TOLD:
                break
        told = " ".join(body[:_MOST_TOLD].decode(errors="replace").split())
        return f"it answered {response.status_code}" + (f": {told}" if told else "")


def new_client() -> httpx.AsyncClient:
    """A client for configured endpoints: it goes where they are and nowhere else."""
    return httpx.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        limits=httpx.Limits(max_connections=256, max_keepalive_connections=64),
        headers={"User-Agent": "Offhook"},
    )
