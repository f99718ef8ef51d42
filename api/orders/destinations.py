"""What a request means by a number to call: E.164, or an extension that a trunk takes."""

from api.base.numbers import is_e164, is_extension
from api.base.written_numbers import read_number
from api.resources.trunk import trunks_for
from api.settings.calling import Calls
from api.store import Store


async def read_destination(store: Store, calls: Calls, written: str) -> str:
    """E.164, or an extension. Raises ValueError with what is wrong, as a predicate.

    Args:
        store: whose trunks say which extensions there are.
        calls: whose country national forms are from.
        written: as in the request.
    """
    if is_e164(written):
        return written
    if not is_extension(written) or trunks_for(written, await store.trunks.list()):
        return written if is_extension(written) else read_number(written, calls.default_country)
    try:
        return read_number(written, calls.default_country)
    except ValueError as error:
        raise ValueError(f"is no extension of a trunk (`extensions`), and {error}") from error
