"""Links to recordings that need no key (RV-487, OI-45, X-OI-11)."""

import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.resources.attempt import Ended
from tests.api.conftest import Bench
from tests.api.routes.test_calls import run_to_answer
from tests.api.story import NORMAL


async def recorded(bench: Bench) -> str:
    """The id of a call that was recorded."""
    call = await bench.create()
    await run_to_answer(bench, call["id"])
    (bench.recordings / "a.wav").write_bytes(b"RIFF" + bytes(range(100)))
    ended = Ended(time.time(), NORMAL, "agent_hangup", recording_path="a.wav")
    await bench.store.calls.record_ended(call["id"], ended)
    return str(call["id"])


@pytest.mark.rows("RV-487", "OI-45", "X-OI-11")
async def test_whoever_has_the_link_can_listen_until_it_expires(bench: Bench) -> None:
    call_id = await recorded(bench)
    link = (await bench.client.get(f"/v1/calls/{call_id}/recording_link")).json()
    async with httpx.AsyncClient(trust_env=False) as stranger:
        file = await stranger.get(link["url"], headers={"Range": "bytes=0-3"})
        assert (file.status_code, file.content) == (206, b"RIFF")
        (expires,) = parse_qs(urlsplit(link["url"]).query)["expires"]
        assert abs(int(expires) - time.time() - 4 * 3600) < 60
        expired = bench.services.links.url(call_id, 1, int(time.time()))
        answer = await stranger.get(expired)
        assert (answer.status_code, answer.json()["code"]) == (404, "link_expired")


async def test_a_link_opens_its_own_recording_and_no_other(bench: Bench) -> None:
    call_id = await recorded(bench)
    url = (await bench.client.get(f"/v1/calls/{call_id}/recording_link")).json()["url"]
    parts = urlsplit(url)
    other = (await bench.create())["id"]
    async with httpx.AsyncClient(base_url=bench.client.base_url, trust_env=False) as stranger:
        for path in (
            f"/recordings/{other}/1?{parts.query}",
            f"/recordings/{call_id}/2?{parts.query}",
            f"/recordings/{call_id}/1?{parts.query.replace('expires=1', 'expires=2')}",
            f"/recordings/{call_id}/1?{parts.query}0",
            f"/recordings/{call_id}/1",
            f"/recordings/{call_id}/one?{parts.query}",
            "/recordings/..%2Fa/1?expires=1&signature=é",
        ):
            assert (await stranger.get(path)).status_code == 404, path


@pytest.mark.parametrize(
    ("query", "status"),
    [("attempt=1", 200), ("attempt=2", 404), ("attempt=0", 422), ("expires_in=1e9", 422)],
)
async def test_which_recording_and_for_how_long(bench: Bench, query: str, status: int) -> None:
    call_id = await recorded(bench)
    answer = await bench.client.get(f"/v1/calls/{call_id}/recording_link?{query}")
    assert answer.status_code == status
