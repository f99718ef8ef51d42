"""`Idempotency-Key` on POST: same key and body, same answer; other body, 422; in flight, 409.

The store alone decides, so it holds for all processes on one store.
"""

import re
import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.responses import Response

from api.base.problems import FieldError, invalid
from api.egress.sealing import Seal
from api.resources.idempotency import Idempotency, StoredAnswer
from api.store.idempotency import UNDER_WAY, IdempotentAnswers, under_way

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

Work = Callable[[Idempotency | None], Awaitable[Response]]


class IdempotencyGate:
    """Lets one request per key through at a time, and answers it once."""

    def __init__(self, answers: IdempotentAnswers, seal: Seal) -> None:
        self._answers = answers
        self._seal = seal

    async def answer(
        self, api_key_id: str, headers: Headers, fingerprint: str, work: Work, *, reserve: bool
    ) -> Response:
        """The answer of `work`, or the one that its Idempotency-Key was given before.

        Args:
            api_key_id: who asks; keys of others are others.
            headers: the request's.
            fingerprint: of its method, path and body.
            work: does what is asked for.
            reserve: take the key before the work and keep the answer after it. Without, `work`
                keeps its own answer in its own transaction.

        Raises Problem 422, or Conflict where another request has the key.
        """
        key = headers.get(HEADER)
        if key is None:
            return await work(None)
        if _KEY.fullmatch(key) is None:
            raise invalid(
                [FieldError("must be 1 to 255 printable ASCII characters", parameter=HEADER)]
            )
        request = Idempotency(api_key_id, key, fingerprint)
        stored = await self._answers.find(request, time.time())
        if stored is not None:
            return self._replayed(stored, fingerprint)
        return await (self._reserved(request, work) if reserve else work(request))

    async def _reserved(self, request: Idempotency, work: Work) -> Response:
        now = time.time()
        await self._answers.reserve(request, now)
        try:
            answer = await work(request)
        except Exception:
            await self._answers.release(request, now)
            raise
        if 200 <= answer.status_code < 300:
            body = self._seal.seal(bytes(answer.body).decode())  # it may tell a key or a secret
            await self._answers.keep(request, now, answer.status_code, body)
        else:
            await self._answers.release(request, now)
        return answer

    def _replayed(self, stored: StoredAnswer, fingerprint: str) -> Response:
        if stored.fingerprint != fingerprint:
            raise invalid(
                [FieldError("was used with another body or path", parameter=HEADER)],
                "idempotency_key_reused",
            )
        if stored.status_code == UNDER_WAY:
            raise under_way()
        return Response(
            self._seal.open(stored.body),
            stored.status_code,
            {"Idempotency-Replayed": "true"},
            "application/json",
        )
