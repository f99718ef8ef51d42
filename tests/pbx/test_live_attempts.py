"""What becomes of calls and condemned ids while a link is down."""

import asyncio
import time

import pytest

from pbx.freeswitch.attempt import FreeSwitchCore
from pbx.live_attempts import LiveAttempts
from pbx.switch import SwitchUnavailable


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many seconds have passed beyond those that have."""
    passed = [0.0]
    true = time.monotonic
    monkeypatch.setattr("pbx.live_attempts.time.monotonic", lambda: true() + passed[0])
    return passed


async def test_who_is_condemned_is_forgiven_in_time_but_not_while_the_link_is_down(
    later: list[float],
) -> None:
    attempts: LiveAttempts[FreeSwitchCore] = LiveAttempts(link_grace_s=30)
    attempts.condemn("offhook-1")
    attempts.link_down()
    later[0] = 3600
    assert attempts.condemned("offhook-1")
    assert attempts.all_condemned() == ["offhook-1"], "so that it is hung up at last"
    attempts.link_up()
    assert not attempts.condemned("offhook-1")
    assert attempts.all_condemned() == []


async def test_a_patrol_survives_whatever_it_meets(caplog: pytest.LogCaptureFixture) -> None:
    attempts: LiveAttempts[FreeSwitchCore] = LiveAttempts(link_grace_s=30)
    rounds = 0
    enough = asyncio.Event()

    async def reconcile() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise SwitchUnavailable("no link")
        if rounds == 2:
            raise KeyError("a fault")
        enough.set()

    attempts.patrol(0.001, reconcile)
    async with asyncio.timeout(10):
        await enough.wait()
    await attempts.hang_up_all(confirmed=False)
    assert ["no link" in caplog.text, "KeyError" in caplog.text] == [True, True]
