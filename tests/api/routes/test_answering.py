"""Who answered is told with its evidence, can be corrected, and is counted as it was found."""

import time

from api.base.lifecycle import AnsweredBy
from api.resources.attempt import Ended
from tests.api.conftest import Bench
from tests.api.story import NORMAL, answered


async def over(bench: Bench, answered_by: AnsweredBy) -> str:
    call = await answered(bench.store)
    evidence = {"who": "voicemail", "evidence": ["invite phrase"], "decided_ms": 4180}
    ended = Ended(time.time(), NORMAL, "voicemail", answered_by=answered_by, answerer=evidence)
    await bench.store.calls.record_ended(call.id, ended)
    return call.id


async def test_what_was_found_wrong_is_corrected_and_counted(bench: Bench) -> None:
    wrong, right = await over(bench, "machine"), await over(bench, "machine")
    asked = {"answered_by": "human"}
    answer = await bench.client.patch(f"/v1/calls/{wrong}", json=asked)
    assert (answer.status_code, answer.json()["answered_by"]) == (200, "human")
    (attempt,) = (await bench.client.get(f"/v1/calls/{wrong}/attempts")).json()["data"]
    assert (attempt["answered_by"], attempt["found_answered_by"]) == ("human", "machine")
    assert attempt["answerer"] == {
        "who": "voicemail",
        "evidence": ["invite phrase"],
        "decided_ms": 4180,
    }
    (attempt,) = (await bench.client.get(f"/v1/calls/{right}/attempts")).json()["data"]
    assert (attempt["answered_by"], attempt["found_answered_by"]) == ("machine", None)
    counted = (await bench.client.get("/v1/answering")).json()
    assert counted == {
        "attempts": 2,
        "corrected": 1,
        "counts": [
            {"found": "machine", "answered_by": "human", "attempts": 1},
            {"found": "machine", "answered_by": "machine", "attempts": 1},
        ],
    }


async def test_a_correction_can_be_taken_back(bench: Bench) -> None:
    call_id = await over(bench, "machine")
    for answered_by in ("human", "machine"):
        asked = {"answered_by": answered_by}
        await bench.client.patch(f"/v1/calls/{call_id}", json=asked)
    (attempt,) = (await bench.client.get(f"/v1/calls/{call_id}/attempts")).json()["data"]
    assert (attempt["answered_by"], attempt["found_answered_by"]) == ("machine", None)
    assert (await bench.client.get("/v1/answering")).json()["corrected"] == 0


async def test_nobody_is_corrected_before_the_end_or_where_nobody_answered(bench: Bench) -> None:
    live = await answered(bench.store)
    waiting = await bench.create(prompt="Say hello.")
    for call_id in (live.id, waiting["id"]):
        answer = await bench.client.patch(f"/v1/calls/{call_id}", json={"answered_by": "human"})
        assert (answer.status_code, answer.json()["code"]) == (409, "not_answered")
    answer = await bench.client.patch(f"/v1/calls/{live.id}", json={"answered_by": "nobody"})
    assert answer.status_code == 422
