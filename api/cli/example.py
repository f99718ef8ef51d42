"""The example call on the test bed: what the demo shows, the bench measures and the tests place."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.cli.console import settings_or_fail
from api.http.server import http_server, listen
from api.settings import Settings
from pbx.testbed import TestBed
from pbx.testbed.freeswitch import Witness

#: The example call, in the words that the starter models know.
CALLER_NUMBER = "+15550199999"
EXAMPLE: Mapping[str, Any] = {
    "prompt": "Confirm the appointment. If the time does not suit, agree on another one.",
    "context": {
        "name": "Maria Lopez",
        "company": "North Dental",
        "day": "monday",
        "time": "eight thirty a m",
    },
    "returns": {"confirmed": "boolean", "day": "string", "time": "string"},
}


@dataclass
class Receiver:
    """A small webhook receiver that verifies what it is sent."""

    secret: str = ""
    verified: list[tuple[str, str]] = field(default_factory=list)
    """Call id and event type, in the order of arrival."""
    rejected: int = 0

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        try:
            event: Any = Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.rejected += 1
            return Response(status_code=401)
        self.verified.append((event["id"], event["type"]))
        return Response(status_code=204)


def demo_settings(
    bed: TestBed, folder: Path, model_set: str, freeswitch: Witness | None = None
) -> Settings:
    """Settings of a server on the test bed.

    Args:
        bed: its carrier takes the calls, and its Asterisk is the PBX.
        folder: for the database and the recordings.
        model_set: name of the engines' weights.
        freeswitch: the PBX in place of that Asterisk.
    """
    tree = Settings(models=settings_or_fail(None).models).model_dump()
    tree["server"]["port"] = 0
    tree["store"]["path"] = folder / "offhook.db"
    tree["recordings"]["dir"] = folder / "recordings"
    tree["pbx"] |= {
        "trunk": bed.trunk,
        "invite_timeout_s": bed.invite_timeout_s,
        "inbound": False,
    }
    tree["pbx"]["fastagi"] |= {
        "host": bed.host,
        "port": bed.ports.agi,
        "secret": bed.agi_secret,
    }
    tree["pbx"]["ami"] |= {
        "host": bed.host,
        "port": bed.ports.ami,
        "username": bed.username,
        "secret": bed.secret,
    }
    if freeswitch is not None:
        tree["pbx"] |= {"kind": "freeswitch", "invite_timeout_s": freeswitch.invite_timeout_s}
        tree["pbx"]["esl"] |= {
            "host": freeswitch.host,
            "port": freeswitch.port,
            "password": freeswitch.password,
        }
    # Nobody is called who did not ask for it.
    tree["calls"] |= {"numbers": (CALLER_NUMBER,), "max_calls_per_number_per_day": 0}
    tree["webhooks"] |= {"allow_http": True, "allowed_networks": ("127.0.0.0/8",)}
    tree["models"]["set"] = model_set
    return Settings.model_validate(tree)


@contextlib.asynccontextmanager
async def serve_receiver(receiver: Receiver) -> AsyncIterator[str]:
    """Serve a webhook receiver on loopback; gives its URL."""
    app = Starlette(routes=[Route("/hook", receiver.receive, methods=["POST"])])
    with listen("127.0.0.1", 0) as listener:
        async with http_server(app, listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
