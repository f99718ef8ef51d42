"""The deployment's default signing secret: made, told once, rotated, given by the settings."""

import asyncio
import time
from dataclasses import replace

import httpx
import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from api.base.signing import new_secret
from api.compat.endpoints import ENDPOINTS
from api.http.app import create_app
from api.settings import Webhooks
from api.store import Store
from tests.api.conftest import Bench
from tests.api.receiver import Received, Receiver, receiving
from tests.api.story import new_call
from tests.api.webhooks.test_deliverer import delivering

PATH = "/v1/webhook_secret"


async def test_reading_it_tells_no_secret(bench: Bench) -> None:
    made = await bench.store.signing_secret.get()
    answer = (await bench.client.get(PATH)).json()
    assert answer["source"] == "store"
    assert answer["created_at"].endswith("Z")
    assert answer["previous_secret_until"] is None
    assert "whsec_" not in repr((answer, made))
    assert await bench.store.signing_secret.get() == made


async def last_to(receiver: Receiver, path: str) -> Received:
    """What came for the path that ends so: on a slow machine others are sent again."""
    count = 0
    while True:
        count += 1
        got = (await receiver.wait(count))[count - 1]
        if got.path.endswith(path):
            return got


@pytest.mark.both_stores
async def test_after_a_rotation_both_secrets_sign_until_the_overlap_is_over(bench: Bench) -> None:
    """CB-23, X-CB-18: a call's own URL, signed with the secret that the store keeps."""
    old = (await bench.store.signing_secret.get()).secret
    now = [time.time() + 10]
    async with (
        receiving() as receiver,
        delivering(bench.store, clock=lambda: now[0], secret=None),
    ):
        answer = await bench.client.post(f"{PATH}/rotate")
        rotated = answer.json()
        new = rotated.pop("signing_secret")
        assert answer.headers["cache-control"] == "no-store"
        assert rotated == (await bench.client.get(PATH)).json()
        await new_call(bench.store, webhook_url=receiver.url)
        (both,) = await receiver.wait(1)
        assert both.verified(new) == both.verified(old)

        now[0] += 24 * 3600 + 600  # the overlap began by the real clock, however late
        await new_call(bench.store, webhook_url=f"{receiver.url}&later")
        after = await last_to(receiver, "later")
        assert len(after.headers["webhook-signature"].split(" ")) == 1

        now[0] = time.time() + 20
        at_once = await bench.client.post(f"{PATH}/rotate", json={"overlap_seconds": 0})
        assert at_once.json()["previous_secret_until"] is None
        await new_call(bench.store, webhook_url=f"{receiver.url}&last")
        last = await last_to(receiver, "last")
        assert last.verified(at_once.json()["signing_secret"])
        with pytest.raises(WebhookVerificationError):
            last.verified(new)
    wrong = await bench.client.post(f"{PATH}/rotate", json={"overlap_seconds": -1})
    assert wrong.json()["errors"][0]["pointer"] == "/overlap_seconds"


async def test_a_secret_of_the_settings_wins_and_is_not_rotated(bench: Bench) -> None:
    webhooks = Webhooks.model_validate({"secret": new_secret()})
    settings = bench.services.settings.model_copy(update={"webhooks": webhooks})
    app = create_app(replace(bench.services, settings=settings), ENDPOINTS)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://offhook",
        headers={"Authorization": f"Bearer {bench.key}"},
    ) as client:
        assert (await client.get(PATH)).json() == {
            "source": "settings",
            "created_at": None,
            "previous_secret_until": None,
        }
        refused = await client.post(f"{PATH}/rotate")
    assert (refused.status_code, refused.json()["code"]) == (409, "secret_in_settings")
    assert "webhooks.secret" in refused.json()["detail"]


async def test_it_is_made_once(store: Store) -> None:
    first, *others = await asyncio.gather(*(store.signing_secret.get() for _ in range(3)))
    assert others == [first, first]
