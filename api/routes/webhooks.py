"""The secret that signs what goes to the calls' own URLs (CB-23)."""

from starlette.responses import JSONResponse, Response

from api.base.fields import parse_fields
from api.base.problems import Problem
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange
from api.resources.webhook import RotateSecret, SecretObject, SecretWithSecret, secret_object

PATH = "/v1/webhook_secret"


async def get_webhook_secret(exchange: Exchange) -> Response:
    """It signs what goes to a call's own `webhook_url`. The secret itself is told by a rotation,
    and by `offhook webhooks secret` on the server's machine.
    """
    services = exchange.services
    given = services.settings.webhooks.secret is not None
    return JSONResponse(secret_object(None if given else await services.store.signing_secret.get()))


async def rotate_default_secret(exchange: Exchange) -> Response:
    """The old secret signs too for `overlap_seconds`, so that receivers have time to change."""
    services = exchange.services
    asked = parse_fields(RotateSecret, parse_json(exchange.body) if exchange.body else {})
    if services.settings.webhooks.secret is not None:
        raise Problem(
            409,
            "secret_in_settings",
            "the secret is webhooks.secret of the settings; change it there, or remove it there "
            "and start again, then Offhook keeps one that can be rotated",
        )
    secret = await services.store.signing_secret.rotate(asked.overlap_seconds)
    content = secret_object(secret) | {"signing_secret": secret.secret}
    return JSONResponse(content, headers={"Cache-Control": "no-store"})


ENDPOINTS = (
    Endpoint(
        "GET",
        PATH,
        get_webhook_secret,
        "Read when the default signing secret was made",
        "webhooks",
        {200: Answer("What may be told of it.", SecretObject)},
    ),
    Endpoint(
        "POST",
        f"{PATH}/rotate",
        rotate_default_secret,
        "Give the deployment a new default signing secret",
        "webhooks",
        {
            200: Answer("The new secret, told this once.", SecretWithSecret),
            400: Answer("The body is not JSON."),
            409: Answer("The settings give the secret."),
            422: Answer("A field is wrong."),
        },
        body=RotateSecret,
        body_required=False,
    ),
)
