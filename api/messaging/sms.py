"""The ways out for text messages: an HTTP gateway of the operator's, or the PBX."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol

import httpx

from api.base.text import is_sensitive, render
from api.egress.redaction import told
from api.messaging.outgoing import NotSentError, Sms, check_sms
from api.resources.message import MAX_SMS
from api.settings import SmsHttp
from pbx.switch import MAX_TEXT_BYTES, Switch, SwitchError, SwitchRefused

#: Characters of a gateway's answer that are told to the operator.
_MAX_REASON: Final = 200
#: Of the 4xx answers those that another try may not get.
_PASSING: Final = frozenset({401, 403, 408, 425, 429})


class SmsGateway(Protocol):
    """A way out."""

    @property
    def max_length(self) -> int:
        """Characters that a message may have at most."""
        ...

    async def send(self, sms: Sms) -> None:
        """Hand a message over, within a time. Raises NotSentError."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


class HttpGateway:
    """Each message is a request to `sms.http.url`, and nowhere else."""

    max_length = MAX_SMS

    def __init__(self, settings: SmsHttp) -> None:
        self._settings = settings
        self._body = json.loads(settings.body)
        given = [value for name, value in settings.headers.items() if is_sensitive(name)]
        given += [] if settings.token is None else [settings.token]
        self._secrets = [one.get_secret_value() for one in given]
        # The operator names it, so it may be anywhere; the environment's proxies have no say.
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113 - one timeout around all of it, see send
            verify=ssl.create_default_context(),
            headers={"Accept-Encoding": "identity"},
        )

    async def send(self, sms: Sms) -> None:
        sms = check_sms(sms)
        settings = self._settings
        values = {"to": sms.to, "from": sms.sender, "text": sms.text, "id": sms.id}
        headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        headers["Content-Type"] = "application/json"
        if settings.token is not None:
            headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"
        request = self._client.build_request(
            settings.method,
            settings.url or "",
            content=json.dumps(_filled(self._body, values), ensure_ascii=False).encode(),
            headers=headers,
        )
        try:
            async with asyncio.timeout(settings.timeout_s):
                response = await self._client.send(request, stream=True)
                try:
                    if not response.is_success:
                        said = told(await _beginning(response), self._secrets)
                        raise _refusal(response.status_code, said)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise NotSentError(f"no answer within {settings.timeout_s:g} s") from error
        except httpx.HTTPError as error:
            # Its message may quote a header.
            reason = told(f"{type(error).__name__}: {error}".rstrip(": "), self._secrets)
            raise NotSentError(f"the gateway does not answer ({reason})") from error

    async def close(self) -> None:
        await self._client.aclose()


class PbxGateway:
    """Each message goes over the call's trunk as SIP MESSAGE; nobody tells whether it arrives."""

    max_length = MAX_TEXT_BYTES  # where each character takes one

    def __init__(self, switch: Switch) -> None:
        self._switch = switch

    async def send(self, sms: Sms) -> None:
        sms = check_sms(sms)
        try:
            await self._switch.send_message(sms.to, sms.sender, sms.text, sms.trunk)
        except SwitchError as error:
            final = isinstance(error, SwitchRefused) and error.field is not None
            raise NotSentError(str(error), final=final) from error

    async def close(self) -> None:
        """Nothing: the switch is somebody else's."""


def _filled(template: Any, values: Mapping[str, str]) -> Any:
    """The same JSON with the placeholders in its texts replaced."""
    match template:
        case dict():
            return {key: _filled(item, values) for key, item in template.items()}
        case list():
            return [_filled(item, values) for item in template]
        case str():
            return render(template, values)
    return template


async def _beginning(response: httpx.Response) -> str:
    """The first characters of an answer, on one line; none of one that is packed."""
    if response.headers.get("content-encoding", "identity") != "identity":
        return ""
    got = b""
    async for part in response.aiter_raw(1024):
        got += part
        if len(got) >= _MAX_REASON:
            break
    text = got[:_MAX_REASON].decode(errors="replace")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _refusal(status: int, said: str) -> NotSentError:
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    final = 400 <= status < 500 and status not in _PASSING
    more = f": {said}" if said else ""
    return NotSentError(f"the gateway answered {status}{phrase}{more}", final=final)
