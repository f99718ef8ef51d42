"""The budget. Money is milli-cents."""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from api.base.fields import Body
from api.base.times import Timestamp
from api.resources.answer import Resource

EntryKind = Literal["reserve", "settle", "release", "limit"]


@dataclass(frozen=True)
class Budget:
    """What may be spent, and what is."""

    limit_milli_cents: int | None
    """Of all that was ever spent; None: no limit."""
    spent_milli_cents: int
    reserved_milli_cents: int
    """Held for calls that are not over."""
    updated_at: float | None
    """None: it was never touched."""

    @property
    def available_milli_cents(self) -> int | None:
        """What is left; None: no limit."""
        if self.limit_milli_cents is None:
            return None
        left = self.limit_milli_cents - self.spent_milli_cents - self.reserved_milli_cents
        return max(0, left)


@dataclass(frozen=True)
class BudgetEntry:
    """One change of the budget."""

    id: int
    at: float
    call_id: str | None
    kind: EntryKind
    milli_cents: int | None
    """The new limit, or what was reserved, spent or released."""


MAX_LIMIT_MILLI_CENTS: Final = 10**15


class ChangeBudget(Body):
    """The new limit."""

    limit_milli_cents: int | None = Field(
        ge=0,
        le=MAX_LIMIT_MILLI_CENTS,
        description="Most that may ever be spent, what is spent already included; null: no limit.",
        examples=[5_000_000],
    )


class BudgetObject(Resource):
    """What may be spent, and what is."""

    limit_milli_cents: int | None = Field(
        description="Most that may ever be spent; null: no limit.", examples=[5_000_000]
    )
    spent_milli_cents: int = Field(description="By calls that are over.", examples=[1_250_000])
    reserved_milli_cents: int = Field(
        description="Held for calls that are not over, each at its longest.", examples=[12_000]
    )
    available_milli_cents: int | None = Field(
        description="What new calls may reserve; null: no limit.", examples=[3_738_000]
    )
    updated_at: Timestamp | None


class BudgetEntryObject(Resource):
    """One change of the budget."""

    id: int = Field(examples=[42])
    at: Timestamp
    kind: EntryKind = Field(
        description="`reserve`: held for a call; `settle`: spent by it; `release`: it cost nothing "
        "and gave back what it held; `limit`: the limit was set.",
        examples=["settle"],
    )
    call_id: str | None = Field(
        description="null for `limit`.", examples=["6f1c2d3e-4b5a-4c6d-8e7f-901234567890"]
    )
    milli_cents: int | None = Field(
        description="How much; of `limit` the new limit, null where there is none any more.",
        examples=[1200],
    )
