"""What becomes of calls and condemned ids while a link is down."""

import asyncio
import time

import pytest

from pbx.freeswitch.attempt import AttemptCore
from pbx.registry import Registry
from pbx.switch import SwitchUnavailable


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many seconds have passed beyond those that have."""
    passed = [0.0]
    true = time.monotonic
    monkeypatch.setattr("pbx.registry.time.monotonic", lambda: true() + passed[0])
    return passed


async def test_who_is_condemned_is_forgiven_in_time_but_not_while_the_link_is_down(
    later: list[float],
) -> None:
    registry: Registry[AttemptCore] = Registry(link_grace_s=30)
    registry.condemn("offhook-1")
    registry.link_down()
    later[0] = 3600
    assert registry.condemned("offhook-1")
    assert registry.all_condemned() == ["offhook-1"], "so that it is hung up at last"
    registry.link_up()
    assert not registry.condemned("offhook-1")
    assert registry.all_condemned() == []


async def test_a_patrol_survives_whatever_it_meets(caplog: pytest.LogCaptureFixture) -> None:
    registry: Registry[AttemptCore] = Registry(link_grace_s=30)
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

    registry.patrol(0.001, reconcile)
    async with asyncio.timeout(10):
        await enough.wait()
    await registry.hang_up_all(confirmed=False)
    assert ["no link" in caplog.text, "KeyError" in caplog.text] == [True, True]
