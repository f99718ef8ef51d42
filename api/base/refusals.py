"""What is refused below HTTP: who asks is told code and detail (`api.base.problems`)."""


class Refused(Exception):
    """Raise one of the kinds below."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        """What programs should look at."""
        self.detail = detail


class NotFound(Refused):
    """There is no such thing."""

    def __init__(self, what: str) -> None:
        super().__init__("not_found", f"there is no such {what}")


class Conflict(Refused):
    """As things are now it cannot be done."""

    def __init__(self, code: str, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s
        """When to try again; None: that is not known."""


class Unaffordable(Refused):
    """The budget does not allow it."""


class Capped(Refused):
    """It would go over a cap."""

    def __init__(self, code: str, detail: str, free_at: float | None) -> None:
        super().__init__(code, detail)
        self.free_at = free_at
        """When there is room again, Unix seconds; None: never, for such a thing."""


class Invalid(Refused):
    """A value cannot be accepted: that of a field of the body, or of a parameter."""

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        parameter: str | None = None,
        code: str = "validation_failed",
    ) -> None:
        super().__init__(code, detail)
        self.field = field
        self.parameter = parameter
