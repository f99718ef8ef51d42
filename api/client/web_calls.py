"""Calls from browsers."""

from api.client.transport import Json, Transport, at
from api.resources.web_call import (
    CreateWebCall,
    CreateWebCallToken,
    OfferByToken,
    PageAnswer,
    WebCallAnswer,
    WebCallTokenObject,
)


class WebCalls(Transport):
    """`/v1/web_calls`, and tokens for pages."""

    async def create_web_call(self, body: CreateWebCall | Json) -> WebCallAnswer:
        """Hand a browser's offer on; its answer goes back to the browser."""
        return await self._post(WebCallAnswer, at("web_calls"), body)

    async def create_web_call_token(self, body: CreateWebCallToken | Json) -> WebCallTokenObject:
        """Make a token with which a page may call once."""
        return await self._post(WebCallTokenObject, at("web_call_tokens"), body)

    async def create_web_call_by_token(self, body: OfferByToken | Json) -> PageAnswer:
        """What a page does; it sends the header `Origin`, which this client does not."""
        return await self._post(PageAnswer, at("web_call_offers"), body)
