"""What a webhook receiver needs to know."""

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from api.endpoint import Answer, Endpoint, Exchange


class WebhookSecret(BaseModel):
    """The deployment's default signing secret."""

    signing_secret: str = Field(
        description="`whsec_…`, as Standard Webhooks libraries take it.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


async def get_webhook_secret(exchange: Exchange) -> Response:
    return JSONResponse(
        {"signing_secret": exchange.services.webhook_secret},
        headers={"Cache-Control": "no-store"},
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/webhook_secret",
        get_webhook_secret,
        "Read the secret that signs webhooks",
        "webhooks",
        {200: Answer("The secret.", WebhookSecret)},
        scope="admin",
    ),
)
