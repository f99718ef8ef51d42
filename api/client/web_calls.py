"""Calls from browsers."""

from api.client.transport import Json, Transport, at
from api.resources.call import CallObject
from api.resources.control import Keys, ListenerAnswer, ListenIn, Words
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

    async def listen_to_call(self, call_id: str, body: ListenIn | Json) -> ListenerAnswer:
        """Hand the offer of a listener's browser on; the answer goes back to it."""
        return await self._post(ListenerAnswer, at("calls", call_id, "listen"), body)

    async def say_in_call(self, call_id: str, body: Words | Json) -> CallObject:
        """Have words spoken in a live call."""
        return await self._post(CallObject, at("calls", call_id, "say"), body)

    async def whisper_in_call(self, call_id: str, body: Words | Json) -> CallObject:
        """Tell the agent of a live call something."""
        return await self._post(CallObject, at("calls", call_id, "whisper"), body)

    async def press_in_call(self, call_id: str, body: Keys | Json) -> CallObject:
        """Press keys in a live call."""
        return await self._post(CallObject, at("calls", call_id, "press"), body)

    async def create_web_call_token(self, body: CreateWebCallToken | Json) -> WebCallTokenObject:
        """Make a token with which a page may call once."""
        return await self._post(WebCallTokenObject, at("web_call_tokens"), body)

    async def create_web_call_by_token(self, body: OfferByToken | Json) -> PageAnswer:
        """What a page does; it sends the header `Origin`, which this client does not."""
        return await self._post(PageAnswer, at("web_call_offers"), body)
