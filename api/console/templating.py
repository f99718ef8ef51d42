"""The templates: whatever stands in them is text, never HTML."""

import json
import re
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from api.base.times import rfc3339

_CODE: Final = re.compile(r"`([^`]*)`")


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("api.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "words": words,
        "when": when,
        "at": at,
        "lasted": lasted,
        "money": money,
        "path": path,
        "prose": prose,
        "pretty": pretty,
    }
    return made


def words(name: Any) -> str:
    """`no_answer` as people read it: no answer."""
    return "" if name is None else str(name).replace("_", " ")


def when(time: str | None) -> Markup:
    """An RFC 3339 time to the second, in UTC; the page's script makes it local."""
    if not time:
        return Markup("–")
    return Markup('<time datetime="{}">{} {}</time>').format(time, time[:10], time[11:19])


def at(seconds: float) -> Markup:
    """Unix seconds, as `when`."""
    return when(rfc3339(seconds))


def lasted(seconds: float | None) -> str:
    """Seconds as `1:05`."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def money(milli_cents: int | None) -> str:
    """Thousandths of a cent as an amount with two digits, or four where it is smaller."""
    if milli_cents is None:
        return "–"
    amount = milli_cents / 100_000
    return f"{amount:.4f}" if milli_cents and abs(amount) < 1 else f"{amount:,.2f}"


def path(text: Any) -> str:
    """Text as one part of a path."""
    return quote(str(text), safe="")


def prose(text: str) -> Markup:
    """A description of the API, whose `code` is marked."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def pretty(value: Any) -> str:
    """JSON for people."""
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False)


TEMPLATES: Final = _environment()
