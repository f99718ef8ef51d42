"""Requests to calendars: bounded in time and size, and every failure in words."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from api.calendars.errors import CalendarError
from api.egress.policy import EgressError

#: Of an answer, KiB.
MAX_ANSWER: Final = 4096
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]{1,300}")


@dataclass(frozen=True)
class CalendarHttp:
    """One calendar's server, as a user of it."""

    client: httpx.AsyncClient
    """Of `api.egress.guarded_http`."""
    timeout_s: float
    """For each request as a whole."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        expected: frozenset[int],
        longest: int = MAX_ANSWER,
    ) -> tuple[int, bytes]:
        """Status and body of the answer.

        Args:
            method: GET, PUT, or one of WebDAV's.
            url: where to.
            headers: beside the credentials.
            content: body of the request.
            expected: statuses; any other is an error.
            longest: body of the answer, KiB.

        Raises CalendarError.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                request = self.client.build_request(method, url, headers=headers, content=content)
                return await self._sent(request, expected, longest)
        except TimeoutError as error:
            raise CalendarError(f"no answer within {self.timeout_s:g} s") from error
        except EgressError as error:
            raise CalendarError(f"the request was not sent: {error}") from error
        except httpx.ConnectError as error:
            if "certificate" in str(error).lower():
                detail = f"its certificate is not trusted: {error}"
                raise CalendarError(detail) from error
            raise CalendarError("the server cannot be reached") from error
        except OSError as error:
            raise CalendarError("the server cannot be reached") from error
        except httpx.HTTPError as error:  # its message may quote a header
            detail = f"the server did not answer properly ({type(error).__name__})"
            raise CalendarError(detail) from error

    async def _sent(
        self, request: httpx.Request, expected: frozenset[int], longest: int
    ) -> tuple[int, bytes]:
        auth = None
        if self.username is not None:
            auth = httpx.BasicAuth(self.username, self.password or "")
        answer = await self.client.send(request, auth=auth, stream=True)
        try:
            if answer.status_code not in expected:
                raise CalendarError(_refusal(answer, self.username is not None))
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > longest << 10:
                    raise CalendarError(f"its answer has more than {longest} KiB")
        finally:
            await answer.aclose()
        return answer.status_code, bytes(body)


def _refusal(answer: httpx.Response, known: bool) -> str:
    status = answer.status_code
    match status:
        case 401:
            wrong = "the user name or the password is wrong"
            return wrong if known else "the server asks for a user name and a password"
        case 403:
            return "the server does not allow it (HTTP 403)"
        case 404 | 410:
            return f"there is nothing at its URL (HTTP {status})"
        case _ if 300 <= status < 400:
            where = answer.headers.get("location", "")
            to = f" to {where}" if _PRINTABLE.fullmatch(where) else ""
            return f"the server redirects{to}, which is not followed; change the URL"
    return f"the server answered HTTP {status}"
