"""The secret that signs what goes to the calls' own URLs."""

from api.base.refusals import Conflict
from api.http.endpoint import EndpointTable, Exchange
from api.resources.webhook import RotateSecret, SecretObject, SecretWithSecret

PATH = "/v1/webhook_secret"

route = EndpointTable("webhooks")


@route("GET", PATH, "Read when the default signing secret was made")
async def get_webhook_secret(exchange: Exchange) -> SecretObject:
    """It signs what goes to a call's own `webhook_url`. The secret itself is told by a rotation,
    and by `offhook webhooks secret` on the server's machine.
    """
    if exchange.services.settings.webhooks.secret is not None:
        return SecretObject(source="settings", created_at=None, previous_secret_until=None)
    return SecretObject.of(await exchange.store.signing_secret.get())


@route(
    "POST",
    f"{PATH}/rotate",
    "Give the deployment a new default signing secret",
    {409: "The settings give the secret."},
    body_required=False,
)
async def rotate_default_secret(exchange: Exchange, asked: RotateSecret) -> SecretWithSecret:
    """The old secret signs too for `overlap_seconds`, so that receivers have time to change."""
    if exchange.services.settings.webhooks.secret is not None:
        raise Conflict(
            "secret_in_settings",
            "the secret is webhooks.secret of the settings; change it there, or remove it there "
            "and start again, then Offhook keeps one that can be rotated",
        )
    signing_secret = exchange.store.signing_secret
    return SecretWithSecret.of(await signing_secret.rotate(asked.overlap_seconds))


ENDPOINTS = route.endpoints
