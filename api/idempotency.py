"""`Idempotency-Key` on POST: same key and body, same answer; other body, 422; in flight, 409."""

import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response

from api.problems import FieldError, Problem, invalid
from api.records import Idempotency, StoredAnswer
from api.store.idempotency import IdempotentAnswers, KeyTakenError

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True)
class Entered:
    """A request that may go on."""

    answers: IdempotentAnswers
    idempotent: Idempotency | None = None
    replay: Response | None = None
    """The answer given before; send it instead of doing anything."""

    async def keep(self, answer: Response) -> None:
        """Store the answer of a request that did its work."""
        if self.idempotent is not None and 200 <= answer.status_code < 300:
            body = json.loads(bytes(answer.body))
            await self.answers.keep(self.idempotent, answer.status_code, body, time.time())


class IdempotencyGate:
    """Lets one request per key through at a time."""

    def __init__(self, answers: IdempotentAnswers) -> None:
        self._answers = answers
        self._in_flight: set[tuple[str, str]] = set()

    @asynccontextmanager
    async def enter(
        self, api_key_id: str, headers: Headers, fingerprint: str
    ) -> AsyncIterator[Entered]:
        """Around a request; raises Problem 409 or 422."""
        key = headers.get(HEADER)
        if key is None:
            yield Entered(self._answers)
            return
        if _KEY.fullmatch(key) is None:
            raise invalid(
                [FieldError("must be 1 to 255 printable ASCII characters", parameter=HEADER)]
            )
        flight = (api_key_id, key)
        if flight in self._in_flight:
            raise _under_way()
        self._in_flight.add(flight)
        try:
            stored = await self._answers.find(api_key_id, key, time.time())
            yield Entered(
                self._answers,
                Idempotency(api_key_id, key, fingerprint),
                None if stored is None else _replay(stored, fingerprint),
            )
        except KeyTakenError as error:  # by one whose client went away while it was committed
            raise _under_way() from error
        finally:
            self._in_flight.discard(flight)


def _under_way() -> Problem:
    return Problem(
        409,
        "idempotency_in_flight",
        "a request with this Idempotency-Key is under way; try again",
        headers={"Retry-After": "1"},
    )


def _replay(stored: StoredAnswer, fingerprint: str) -> Response:
    if stored.fingerprint != fingerprint:
        raise invalid(
            [FieldError("was used with another body or path", parameter=HEADER)],
            "idempotency_key_reused",
        )
    return Response(
        stored.body,
        stored.status_code,
        {"Idempotency-Replayed": "true"},
        "application/json",
    )
