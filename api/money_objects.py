"""The rate card and the budget as the API and the CSV files tell and take them."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import Field, ValidationError

from api.answers import Resource
from api.csv_files import Read, csv_lines, read_csv
from api.fields import Body
from api.number_fields import Prefix
from api.resources import EntryKind, NewRate, StoredRate
from api.times import Timestamp

COLUMNS: Final = (
    "prefix",
    "milli_cents_per_minute",
    "increment_seconds",
    "minimum_seconds",
    "description",
)
#: 10 000 in the currency's main unit.
MAX_MILLI_CENTS_PER_MINUTE: Final = 10**9
MAX_LIMIT_MILLI_CENTS: Final = 10**15

_PRICE = "Price of a connected minute in milli-cents: 1200 is 0.012 of the currency's main unit."
_INCREMENT = "Time is rounded up to whole multiples of this; 60 bills by the minute."
_MINIMUM = "The least that is billed once somebody has answered."


class PutRate(Body):
    """What connected time costs."""

    milli_cents_per_minute: int = Field(
        ge=0, le=MAX_MILLI_CENTS_PER_MINUTE, description=_PRICE, examples=[1200]
    )
    increment_seconds: int = Field(default=1, ge=1, le=3600, description=_INCREMENT, examples=[60])
    minimum_seconds: int = Field(default=0, ge=0, le=3600, description=_MINIMUM, examples=[60])
    description: str = Field(default="", max_length=500, description="Yours.", examples=["Germany"])


class _RateLine(PutRate):
    prefix: Prefix


class RateObject(Resource):
    """A line of the rate card; of several that fit, the longest prefix counts."""

    prefix: str = Field(description="How the numbers begin; `+` is every number.", examples=["+49"])
    milli_cents_per_minute: int = Field(description=_PRICE, examples=[1200])
    increment_seconds: int = Field(description=_INCREMENT, examples=[60])
    minimum_seconds: int = Field(description=_MINIMUM, examples=[60])
    description: str = Field(examples=["Germany"])
    created_at: Timestamp
    updated_at: Timestamp


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


def read_rates(body: bytes) -> Read[NewRate]:
    """Rates from a CSV file with `COLUMNS`. Raises Problem 422."""
    seen: set[str] = set()

    def take(values: Mapping[str, str]) -> NewRate:
        try:
            line = _RateLine.model_validate(values, strict=False)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{first['loc'][0]}: {first['msg']}") from error
        if line.prefix in seen:
            raise ValueError(f"the prefix {line.prefix} is in the file twice")
        seen.add(line.prefix)
        return NewRate(**line.model_dump())

    return read_csv(body, COLUMNS, take)


def rates_csv(rates: Sequence[StoredRate]) -> str:
    """Lines of a CSV file with `COLUMNS`."""
    return csv_lines([getattr(one, column) for column in COLUMNS] for one in rates)
