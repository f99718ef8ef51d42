"""What a request means by a number to call: E.164, or an extension or SIP URI of a trunk."""

from api.base.numbers import is_e164, is_extension
from api.base.sip_uris import URI_REFUSED, names_sip_uri, read_sip_uri
from api.base.written_numbers import read_number
from api.resources.trunk import trunks_for
from api.settings.calling import Calls
from api.store import Store


async def read_destination(store: Store, calls: Calls, written: str) -> str:
    """E.164, an extension, or a SIP URI. Raises ValueError with what is wrong, as a predicate.

    Args:
        store: whose trunks say which extensions and SIP URIs there are.
        calls: whose country national forms are from.
        written: as in the request.
    """
    if is_e164(written):
        return written
    if names_sip_uri(written):
        uri = read_sip_uri(written)
        if not trunks_for(uri, await store.trunks.list()):
            raise ValueError(URI_REFUSED)
        return uri
    if not is_extension(written) or trunks_for(written, await store.trunks.list()):
        return written if is_extension(written) else read_number(written, calls.default_country)
    try:
        return read_number(written, calls.default_country)
    except ValueError as error:
        raise ValueError(f"is no extension of a trunk (`extensions`), and {error}") from error
