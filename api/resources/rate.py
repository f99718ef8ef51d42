"""The rate card. Money is milli-cents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import Field, ValidationError

from api.base.csv_files import Read, csv_lines, read_csv
from api.base.fields import Body
from api.base.money import Rate
from api.base.numbers import Prefix
from api.base.times import Timestamp
from api.resources.answer import Resource


@dataclass(frozen=True)
class NewRate(Rate):
    """A line of the rate card as it comes in, already checked."""

    description: str = ""


@dataclass(frozen=True, kw_only=True)
class StoredRate(NewRate):
    """A line of the rate card."""

    created_at: float
    updated_at: float


COLUMNS: Final = (
    "prefix",
    "milli_cents_per_minute",
    "increment_seconds",
    "minimum_seconds",
    "description",
)
#: 10 000 in the currency's main unit.
MAX_MILLI_CENTS_PER_MINUTE: Final = 10**9

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
