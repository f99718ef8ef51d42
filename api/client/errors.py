"""What can go wrong between a client and the server."""

import json
from collections.abc import Mapping

from pydantic import ValidationError

from api.base.problems import FieldErrorObject


class OffhookError(Exception):
    """Whatever this package raises about the server."""


class ApiError(OffhookError):
    """The server refused a request (RFC 9457)."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        errors: tuple[FieldErrorObject, ...] = (),
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        lines = [f"{title}: {detail}" if detail else title]
        lines += [f"  {one.pointer or one.parameter or ''}: {one.detail}" for one in errors]
        super().__init__("\n".join(lines))
        self.status = status
        """HTTP status."""
        self.code = code
        """What programs should look at, as `do_not_call`; `http_502` and the like where the
        answer is not Offhook's."""
        self.title = title
        self.detail = detail
        self.errors = errors
        """The wrong fields, each with its JSON pointer."""
        self.request_id = request_id
        """Also in the server's log."""
        self.retry_after_s = retry_after_s
        """What the server asked to wait."""

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> "ApiError":
        """From an answer, whoever on the way gave it."""
        wait = headers.get("retry-after", "")
        retry_after_s = float(wait[:9]) if wait.isascii() and wait.isdigit() else None
        request_id = headers.get("x-request-id")
        try:
            problem = json.loads(body)
            errors = tuple(
                FieldErrorObject.model_validate(one) for one in problem.get("errors", ())
            )
            code, title, detail = (str(problem[key]) for key in ("code", "title", "detail"))
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
            code, title, detail, errors = (
                f"http_{status}",
                f"the server answered {status}",
                "",
                (),
            )
        return cls(
            status,
            code,
            title,
            detail,
            errors=errors,
            request_id=request_id,
            retry_after_s=retry_after_s,
        )


class UnreachableError(OffhookError):
    """No answer came."""

    def __init__(self, message: str, *, sent: bool, passing: bool = True) -> None:
        super().__init__(message)
        self.sent = sent
        """Whether the server may have had the request, and done what it asks."""
        self.passing = passing
        """Whether it may go better in a moment."""


class AnswerError(OffhookError):
    """The answer is none that this API gives: is the URL Offhook's?"""


class WebhookError(OffhookError):
    """A webhook that Offhook has not signed, or not lately."""
