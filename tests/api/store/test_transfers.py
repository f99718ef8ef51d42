"""What the ledger knows of transfers: one at a time, on disk first, told, and counted."""

import time
from typing import Any

import pytest

from api.base.refusals import Conflict, Invalid
from api.resources.attempt import Ended
from api.resources.call import Call, transfer_of
from api.resources.transfer import Transfer, TransferWish, leg_id, whose_leg
from api.resources.trunk import NewTrunk, Route
from api.store import Store
from api.store.transfers import MOST_TRANSFERS
from pbx.values import check_id
from tests.api.story import (
    BUSY,
    NODE,
    NORMAL,
    OURS,
    answered,
    claim_up_to,
    claimed,
    completed,
    new_call,
)

THIRD = "+15550100200"
ROUTE = Route(OURS, "carrier")
WISH = TransferWish(THIRD)


async def on_the_line(store: Store, **trunk: Any) -> Call:
    """An answered call over a trunk with those fields."""
    await store.trunks.create(NewTrunk("carrier", **trunk))
    return await answered(store, trunk="carrier")


async def transfer(store: Store, call: Call) -> Transfer:
    found = transfer_of(await store.calls.get(call.id))
    assert found is not None
    return found


async def told(store: Store, call: Call) -> list[tuple[str, str]]:
    """The events about transfers, each with the status that it tells."""
    return [
        (event.type.removeprefix("call."), event.data["transfer"]["status"])
        for event in await store.calls.events(call.id)
        if "transfer" in event.data
    ]


async def in_use(store: Store) -> int:
    return (await store.trunks.get("carrier")).channels_in_use


@pytest.mark.both_stores
@pytest.mark.rows("RV-57", "RV-58")
@pytest.mark.parametrize(
    ("allow_refer", "wish", "method", "falls_back"),
    [
        (False, WISH, "bridge", False),
        (True, WISH, "refer", True),
        (True, TransferWish(THIRD, method="refer"), "refer", False),
        (True, TransferWish(THIRD, method="bridge"), "bridge", False),
        (True, TransferWish(THIRD, "warm"), "bridge", False),
    ],
)
async def test_how_is_chosen_by_what_the_trunk_takes(
    store: Store, allow_refer: bool, wish: TransferWish, method: str, falls_back: bool
) -> None:
    call = await on_the_line(store, allow_refer=allow_refer)
    begun = await store.transfers.begin(call.id, wish, ROUTE)
    assert (begun.method, begun.falls_back, begun.status) == (method, falls_back, "dialing")
    assert await transfer(store, call) == begun


@pytest.mark.rows("RV-58")
@pytest.mark.parametrize(
    "channel_id",
    [
        "offhook-00000000-0000-4000-8000-000000000000",
        "1796082.12",  # Asterisk's own
        "pbx-a-1796082.12",
        "00000000-0000-4000-8000-000000000000",  # FreeSWITCH's own
    ],
)
def test_a_leg_has_an_id_of_ours_whoever_began_the_call(channel_id: str) -> None:
    leg = leg_id(channel_id, 2)
    check_id(leg)
    assert whose_leg(leg) == channel_id
    assert whose_leg(channel_id) == channel_id


async def test_a_carrier_is_not_asked_to_call_an_extension_of_another_trunk(store: Store) -> None:
    call = await on_the_line(store, allow_refer=True)
    await store.trunks.create(NewTrunk("office", extensions=["200"]))
    route = Route(OURS, "office")
    with pytest.raises(Invalid):
        await store.transfers.begin(call.id, TransferWish("200", method="refer"), route)
    begun = await store.transfers.begin(call.id, TransferWish("200"), route)
    assert begun.method == "bridge"


async def test_a_trunk_that_takes_no_refer_is_asked_for_none(store: Store) -> None:
    call = await on_the_line(store)
    with pytest.raises(Invalid, match="takes no REFER"):
        await store.transfers.begin(call.id, TransferWish(THIRD, method="refer"), ROUTE)
    assert (await store.calls.get(call.id)).transfer is None


@pytest.mark.both_stores
async def test_one_at_a_time_and_another_after_one_that_failed(store: Store) -> None:
    call = await on_the_line(store)
    first = await store.transfers.begin(call.id, WISH, ROUTE)
    with pytest.raises(Conflict, match="being transferred"):
        await store.transfers.begin(call.id, WISH, ROUTE)
    for _ in range(2):
        await store.transfers.failed(call.id, time.time(), "nobody answered")
    assert (await transfer(store, call)).reason == "nobody answered"
    second = await store.transfers.begin(call.id, WISH, ROUTE)
    assert (first.seq, second.seq) == (1, 2)
    for _ in range(2):
        await store.transfers.completed(call.id, time.time())
    with pytest.raises(Conflict, match="being transferred"):
        await store.transfers.begin(call.id, WISH, ROUTE)
    assert await told(store, call) == [
        ("transfer_started", "dialing"),
        ("transfer_failed", "failed"),
        ("transfer_started", "dialing"),
        ("transferred", "completed"),
    ]


@pytest.mark.both_stores
async def test_no_call_rings_others_without_end(store: Store) -> None:
    call = await on_the_line(store)
    for _ in range(MOST_TRANSFERS):
        await store.transfers.begin(call.id, WISH, ROUTE)
        await store.transfers.failed(call.id, time.time(), "nobody answered")
    with pytest.raises(Conflict, match="in vain"):
        await store.transfers.begin(call.id, WISH, ROUTE)


@pytest.mark.both_stores
async def test_a_call_that_ends_meanwhile_was_not_transferred(store: Store) -> None:
    call = await on_the_line(store)
    await store.transfers.begin(call.id, WISH, ROUTE)
    ended = Ended(time.time(), NORMAL, "person_hangup")
    for _ in range(2):
        await store.calls.record_ended(call.id, ended)
    await store.transfers.completed(call.id, time.time())
    assert (await transfer(store, call)).reason == "the call ended"
    assert (await told(store, call))[1:] == [("transfer_failed", "failed")]


async def test_only_a_call_in_progress_is_transferred(store: Store) -> None:
    await store.trunks.create(NewTrunk("carrier"))
    for call in (await completed(store), (await claimed(store)).call):
        with pytest.raises(Conflict, match="only a call in progress"):
            await store.transfers.begin(call.id, WISH, ROUTE)


async def test_nobody_is_handed_to_who_is_never_called(store: Store) -> None:
    call = await on_the_line(store)
    await store.do_not_call.add(THIRD, "")
    with pytest.raises(Invalid, match="do-not-call"):
        await store.transfers.begin(call.id, WISH, ROUTE)


@pytest.mark.both_stores
async def test_a_second_leg_takes_a_channel_until_the_call_is_over(store: Store) -> None:
    call = await on_the_line(store, max_channels=2)
    await new_call(store, trunk="carrier")
    await store.transfers.begin(call.id, WISH, ROUTE)
    assert await in_use(store) == 2
    assert await claim_up_to(store, 1) == []
    await store.transfers.completed(call.id, time.time())
    assert await in_use(store) == 2
    await store.calls.record_ended(call.id, Ended(time.time(), NORMAL, "transferred"))
    assert await in_use(store) == 0
    assert len(await claim_up_to(store, 1)) == 1


async def test_a_full_trunk_takes_no_second_leg(store: Store) -> None:
    call = await on_the_line(store, max_channels=1, allow_refer=True)
    with pytest.raises(Conflict, match="every channel"):
        await store.transfers.begin(call.id, TransferWish(THIRD, "warm"), ROUTE)
    await store.transfers.begin(call.id, WISH, ROUTE)  # a REFER needs none
    assert await in_use(store) == 1
    with pytest.raises(Conflict, match="every channel"):
        await store.transfers.fall_back(call.id)


async def test_a_refused_refer_becomes_a_bridge(store: Store) -> None:
    call = await on_the_line(store, max_channels=2, allow_refer=True)
    await store.transfers.begin(call.id, WISH, ROUTE)
    assert await in_use(store) == 1
    bridged = await store.transfers.fall_back(call.id)
    assert (bridged.method, bridged.falls_back) == ("bridge", False)
    assert await in_use(store) == 2


@pytest.mark.both_stores
async def test_a_leg_of_a_dead_process_is_known_after_a_crash(store: Store) -> None:
    await store.leases.take(f"node:{NODE}", NODE, 60)
    living = (await claimed(store)).attempt.channel_id
    dead = (await claimed(store)).attempt
    await store.calls.record_ended(dead.call_id, Ended(time.time(), BUSY, "busy"))
    legs = [leg_id(living, 1), leg_id(dead.channel_id, 2), "offhook-strange-transfer-1"]
    assert await store.claims.abandoned(legs) == [leg_id(dead.channel_id, 2)]
