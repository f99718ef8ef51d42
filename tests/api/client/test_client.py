"""The client against the real server: every operation of the document, and what it gives."""

import csv
import json
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints
from urllib.parse import parse_qs, urlsplit
from zipfile import ZipFile

import pytest

from api.client import (
    AddContacts,
    AddDoNotCall,
    AgentNumber,
    ApiError,
    ChangeAgent,
    ChangeBudget,
    ChangeCalendarConnection,
    ChangeCampaign,
    ChangeEndpoint,
    ChangeNumber,
    ChangeTrunk,
    ContactFields,
    CreateCalendarConnection,
    CreateCall,
    CreateCampaign,
    CreateEndpoint,
    CreateKey,
    CreateNumber,
    CreateTrunk,
    CreateWebCall,
    CreateWebCallToken,
    EventType,
    NewAgent,
    OffhookClient,
    PutRate,
    PutSecret,
    RotateSecret,
    TransferCall,
    VoicePreview,
)
from api.compat.endpoints import ENDPOINTS
from api.http.endpoint import Endpoint
from api.resources.agent_fields import VoiceField
from api.resources.attempt import Ended
from api.resources.dialplan import DialplanTest
from api.resources.message import NewMessage
from api.resources.turn import Turn
from tests.api.conftest import Bench
from tests.api.receiver import receiving
from tests.api.story import NORMAL, claim_up_to
from tests.api.webhooks.test_deliverer import delivering
from tests.api.wire import LossyWire, lossy_wire

T = TypeVar("T")

TO, OTHER = "+15551234567", "+15551234568"
#: What dialects have is for the services' own clients.
NATIVE = [endpoint for endpoint in ENDPOINTS if endpoint.dialect is None]


async def all_of(listed: AsyncIterator[T]) -> list[T]:
    return [one async for one in listed]


def operation(endpoint: Endpoint) -> str:
    return endpoint.operation_id


@pytest.mark.parametrize("endpoint", NATIVE, ids=operation)
def test_every_operation_has_a_method_that_gives_its_object(endpoint: Endpoint) -> None:
    given = get_type_hints(getattr(OffhookClient, endpoint.operation_id))["return"]
    models = {one.model for status, one in endpoint.answers.items() if status < 300 and one.model}
    if not models:
        assert given in (type(None), Path, str, dict[str, Any])
        return
    (model,) = models
    if endpoint.operation_id.startswith("list_"):
        assert get_args(given)[0] is get_args(model.model_fields["data"].annotation)[0]
    elif endpoint.operation_id == "stream_events":
        assert get_args(given)[0] is model
    else:
        assert given is model


@pytest.mark.parametrize("endpoint", NATIVE, ids=operation)
def test_every_parameter_and_body_can_be_given(endpoint: Endpoint) -> None:
    hints = get_type_hints(getattr(OffhookClient, endpoint.operation_id))
    asked = {one.name for one in endpoint.parameters if one.place in {"query", "path"}}
    assert asked - {"limit", "cursor"} <= set(hints)
    if isinstance(endpoint.body, type):
        assert endpoint.body in get_args(hints["body"])


async def test_every_operation_is_asked_and_understood(bench: Bench, tmp_path: Path) -> None:
    async with lossy_wire(bench.client.base_url.port or 0) as wire:
        async with OffhookClient(wire.url, bench.key) as client:
            await _routing(client, tmp_path)
            await _money(client, tmp_path)
            await _calls(client, bench, tmp_path)
            await _messages(client, bench)
            await _webhooks(client, bench)
            await _campaigns(client, tmp_path)
            await _agents(client)
            await _calendars(client)
            await _web_calls(client)
            await _administration(client, tmp_path)
        assert _asked(wire) == {(one.method, one.path) for one in NATIVE}


def _asked(wire: LossyWire) -> set[tuple[str, str]]:
    """Method and path, as the document has it, of each request."""
    # What has a path to itself comes before what fills in a name.
    paths = sorted({one.path for one in NATIVE}, key=lambda path: ("{" in path, path))
    forms = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]
    found = set()
    for request in re.findall(
        rb"^([A-Z]+) ([^ ?]+)\S* HTTP/1.1\r", b"\n".join(wire.requests), re.M
    ):
        method, asked = (part.decode() for part in request)
        found.add((method, next(path for form, path in forms if form.fullmatch(asked))))
    return found


async def _routing(client: OffhookClient, folder: Path) -> None:
    trunk = await client.create_trunk(CreateTrunk(name="carrier-b", allowed_prefixes=["+49"]))
    assert (trunk.name, trunk.allowed_prefixes) == ("carrier-b", ["+49"])
    trunk = await client.change_trunk("carrier-b", ChangeTrunk(max_channels=3))
    assert (trunk.max_channels, trunk.allowed_prefixes) == (3, ["+49"])
    assert await client.get_trunk("carrier-b") == trunk
    assert trunk in await all_of(client.list_trunks())
    tried = await client.test_dialplan("carrier-b", DialplanTest(number="+4930123456"))
    assert tried.dial_string == "PJSIP/+4930123456@carrier-b"
    await client.delete_trunk("carrier-b")

    number = await client.create_number(CreateNumber(number="+15550100001", description="Berlin"))
    assert (await client.change_number(number.id, ChangeNumber(status="inactive"))).trunk is None
    assert (await client.get_number(number.id)).status == "inactive"
    assert number.id in {one.id for one in await all_of(client.list_numbers())}
    await client.delete_number(number.id)

    listed = await client.add_do_not_call(AddDoNotCall(number=OTHER, reason="asked by letter"))
    assert await client.get_do_not_call(OTHER) == listed
    came = await client.import_do_not_call(f"number\n{TO}\nnobody\n", partial=True)
    assert (came.added, came.refused, came.errors[0].line) == (1, 1, 3)
    assert [one.number for one in await all_of(client.list_do_not_call(prefix=TO))] == [TO]
    await client.delete_do_not_call(TO)
    file = await client.export_do_not_call(folder / "dnc.csv")
    with file.open(newline="") as rows:
        assert [row["number"] for row in csv.DictReader(rows)] == [OTHER]


async def _money(client: OffhookClient, folder: Path) -> None:
    rate = await client.put_rate("+1", PutRate(milli_cents_per_minute=1200))
    assert await client.get_rate("+1") == rate
    came = await client.import_rates(b"prefix,milli_cents_per_minute\r\n+,900\r\n")
    assert came.added == 1
    assert [one.prefix for one in await all_of(client.list_rates())] == ["+", "+1"]
    assert b"+1,1200" in (await client.export_rates(folder / "rates.csv")).read_bytes()
    await client.delete_rate("+")
    budget = await client.change_budget(ChangeBudget(limit_milli_cents=5_000_000))
    assert await client.get_budget() == budget
    (entry,) = await all_of(client.list_budget_entries())
    assert (entry.kind, entry.milli_cents) == ("limit", 5_000_000)


async def _calls(client: OffhookClient, bench: Bench, folder: Path) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    waiting = await client.create_call(CreateCall(to=TO, scheduled_at=later))
    assert datetime.fromisoformat(waiting.scheduled_at or "") == later.replace(
        microsecond=later.microsecond // 1000 * 1000
    )
    assert (await client.cancel_call(waiting.id)).status == "canceled"
    assert (await client.end_call(waiting.id)).status == "canceled"
    with pytest.raises(ApiError) as refused:
        await client.hang_up_call(waiting.id)
    assert (refused.value.status, refused.value.code) == (409, "already_ended")

    body = {"to": TO, "metadata": {"customer": "42"}, "prompt": "Say hello."}
    call = await client.create_call(body)
    assert (call.status, call.prompt, call.webhook_url) == ("queued", "Say hello.", None)
    await claim_up_to(bench.store, 9)
    await bench.store.calls.record_answered(call.id, time.time())
    await bench.store.calls.add_turn(call.id, Turn("person", "hello", 1.0, 2.0))
    for done in (
        client.say_in_call(call.id, {"text": "One moment please."}),
        client.whisper_in_call(call.id, {"text": "They are a regular."}),
        client.press_in_call(call.id, {"digits": "1"}),
    ):
        assert (await done).status == "in_progress"
    with pytest.raises(ApiError) as off:
        await client.listen_to_call(call.id, {"sdp": "v=0"})
    assert off.value.code == "web_calls_off"
    handed = await client.transfer_call(call.id, TransferCall(number="+15550100200", mode="warm"))
    assert handed.transfer is not None
    assert (handed.transfer.status, handed.transfer.mode) == ("dialing", "warm")
    with pytest.raises(ApiError, match="nothing is recorded"):
        await client.pause_recording(call.id)
    with pytest.raises(ApiError, match="nothing is recorded"):
        await client.resume_recording(call.id)
    assert (await client.end_call(call.id)).status == "in_progress"
    assert bench.asked == [*[call.id] * 4, f"{call.id}:hangup"]
    (bench.recordings / "a.wav").write_bytes(b"RIFF" + bytes(100_000))
    ended = Ended(
        time.time(), NORMAL, "agent_hangup", answered_by="unknown", recording_path="a.wav"
    )
    await bench.store.calls.record_ended(call.id, ended)
    over = await client.wait_until_over(call.id, timeout_s=20)
    assert (over.status, over.metadata) == ("completed", {"customer": "42"})
    assert await client.get_call(call.id) == over
    assert (await client.change_call(call.id, {"answered_by": "human"})).answered_by == "human"
    counted = await client.get_answering()
    assert (counted.attempts, counted.corrected) == (1, 1)
    (attempt,) = await all_of(client.list_attempts(call.id))
    assert (attempt.number, attempt.sip_code) == (1, 200)
    assert [turn.text for turn in (await client.get_transcript(call.id)).turns] == ["hello"]
    file = await client.get_recording(call.id, folder / "call.wav")
    assert file.stat().st_size == 100_004
    entry = {"at": 0, "is": "header", "rate": 8000, "voice_rate": 8000}
    (bench.recordings / f"{call.id}.blackbox").write_text(json.dumps(entry) + "\n")
    file = await client.get_black_box(call.id, folder / "box.zip")
    assert "entries.jsonl" in ZipFile(file).namelist()
    kept = await client.get_recording(call.id, folder / "kept.wav", attempt=1, format="wav")
    assert kept.stat().st_size == 100_004
    link = urlsplit((await client.get_recording_link(call.id, expires_in=60, format="wav")).url)
    expires, signature = (parse_qs(link.query)[name][0] for name in ("expires", "signature"))
    file = await client.get_linked_recording(
        call.id, 1, folder / "linked.wav", expires=int(expires), signature=signature
    )
    assert file.stat().st_size == 100_004
    before = datetime.fromisoformat(call.created_at)
    found = client.list_calls(status="completed", created_after=before, metadata={"customer": "42"})
    assert [one.id for one in await all_of(found)] == [call.id]
    assert await all_of(client.list_calls(created_before=before, from_number=OTHER)) == []
    await client.delete_call(call.id)
    with pytest.raises(ApiError, match="no such call"):
        await client.get_call(call.id)


async def _messages(client: OffhookClient, bench: Bench) -> None:
    call = await client.create_call(CreateCall(to=TO, prompt="x"))
    sent = NewMessage(call.id, 1, "sms", TO, OTHER, subject=None, body="See you.")
    await bench.store.messages.record(sent)
    (message,) = await all_of(client.list_call_messages(call.id, status="sent"))
    assert (message.kind, message.recipient, message.body) == ("sms", TO, "See you.")
    assert await client.get_message(message.id) == message
    assert await all_of(client.list_messages(status="pending")) == []
    await client.cancel_call(call.id)


async def _webhooks(client: OffhookClient, bench: Bench) -> None:
    async with receiving() as receiver, delivering(bench.store):
        endpoint = await client.create_webhook_endpoint(CreateEndpoint(url=receiver.url))
        sent = await client.send_test_event(endpoint.id)
        (received,) = await receiver.wait(1)
        assert received.verified(endpoint.signing_secret)["type"] == "webhook.test"
        again = await client.redeliver_webhook(sent.id)
        assert (again.id, again.manual_retry_count) == (sent.id, 1)
        await receiver.wait(2)
    assert (await client.get_webhook_delivery(sent.id)).event_type == "webhook.test"
    for listed in (client.list_webhook_deliveries(), client.list_endpoint_deliveries(endpoint.id)):
        assert [one.id for one in await all_of(listed)] == [sent.id]
    other = await client.rotate_webhook_secret(endpoint.id, RotateSecret(overlap_seconds=60))
    assert other.signing_secret != endpoint.signing_secret
    assert (await client.get_webhook_endpoint(endpoint.id)).previous_secret_until is not None
    change = ChangeEndpoint(enabled_events=["call.completed"], status="disabled")
    assert (await client.change_webhook_endpoint(endpoint.id, change)).status == "disabled"
    (only,) = await all_of(client.list_webhook_endpoints())
    assert (only.enabled_events, only.disabled_reason) == (["call.completed"], "requested")
    call = await client.create_call(CreateCall(to=TO, webhook_url=receiver.url))
    assert await all_of(client.list_call_deliveries(call.id, status="delivered")) == []
    assert len(await all_of(client.list_call_deliveries(call.id))) == 1
    await client.delete_webhook_endpoint(endpoint.id)
    assert (await client.rotate_default_secret()).signing_secret.startswith("whsec_")
    assert (await client.get_webhook_secret()).source == "store"


async def _campaigns(client: OffhookClient, folder: Path) -> None:
    template = {"prompt": "Remind of the appointment.", "returns": {"confirmed": "boolean"}}
    made = await client.create_campaign(CreateCampaign(name="Recalls", template=template))
    assert (made.status, made.contacts) == ("draft", {"pending": 0, "ordered": 0, "refused": 0})
    contacts = [ContactFields(to=TO, context={"patient": "Maria"}), ContactFields(to=TO)]
    added = await client.add_campaign_contacts(made.id, AddContacts(contacts=contacts))
    assert (added.added, added.known) == (1, 1)
    came = await client.import_campaign_contacts(made.id, f"to,patient\n{OTHER},Wei\n")
    assert came.added == 1
    told = await all_of(client.list_campaign_contacts(made.id, status="pending"))
    assert [(one.to, one.context["patient"]) for one in told] == [(TO, "Maria"), (OTHER, "Wei")]
    assert (await client.change_campaign(made.id, ChangeCampaign(name="May"))).template == template
    assert (await client.start_campaign(made.id)).status == "running"
    assert (await client.pause_campaign(made.id)).paused_reason == "requested"
    assert (await client.resume_campaign(made.id)).status == "running"
    assert (await client.cancel_campaign(made.id)).status == "canceled"
    assert (await client.get_campaign(made.id)).name == "May"
    assert [one.id for one in await all_of(client.list_campaigns())] == [made.id]
    file = await client.export_campaign_results(made.id, folder / "results.csv")
    with file.open(newline="") as rows:
        assert [row["context.patient"] for row in csv.DictReader(rows)] == ["Maria", "Wei"]
    draft = await client.create_campaign(CreateCampaign(name="Recalls", template=template))
    await client.delete_campaign(draft.id)
    assert [one.id for one in await all_of(client.list_campaigns())] == [made.id]


async def _calendars(client: OffhookClient) -> None:
    checkup = EventType(id="checkup", name="Check-up", duration_minutes=30, timezone="UTC")
    made = await client.create_calendar_connection(
        CreateCalendarConnection(
            name="Desk", kind="ics", url="https://desk.invalid/desk.ics", event_types=[checkup]
        )
    )
    assert (made.bookable, made.event_types) == (False, [checkup])
    change = ChangeCalendarConnection(name="Front desk")
    changed = await client.change_calendar_connection(made.id, change)
    assert changed.name == "Front desk"
    assert await client.get_calendar_connection(made.id) == changed
    assert await all_of(client.list_calendar_connections()) == [changed]
    told = await client.check_calendar_connection(made.id)
    assert (told.ok, told.detail) == (False, "the server cannot be reached")
    await client.delete_calendar_connection(made.id)


async def _agents(client: OffhookClient) -> None:
    new = NewAgent(name="Ada", instructions="Confirm it.", voice=VoiceField(speed=1.2))
    agent = await client.create_agent(new)
    assert (agent.name, agent.instructions, agent.llm) == ("Ada", "Confirm it.", None)
    assert agent.voice is not None
    assert agent.voice.speed == 1.2
    assert await client.get_agent(agent.id) == agent
    changed = await client.change_agent(agent.id, ChangeAgent(instructions=None, persona="Kind."))
    assert (changed.version, changed.instructions, changed.persona) == (2, None, "Kind.")
    told = [one.persona for one in await all_of(client.list_agent_versions(agent.id))]
    assert told == ["Kind.", None]
    assert (await client.get_agent_version(agent.id, 1)).instructions == "Confirm it."
    number = (await all_of(client.list_numbers()))[0]
    given = AgentNumber(number_id=number.id)
    assert (await client.attach_agent_number(agent.id, given)).number_ids == [number.id]
    primary = (await client.set_agent_primary_number(agent.id, given)).primary_number_id
    assert primary == number.id
    call = await client.create_call(CreateCall(to=TO, agent_id=agent.id))
    assert [one.id for one in await all_of(client.list_calls(agent_id=agent.id))] == [call.id]
    await client.detach_agent_number(agent.id, number.id)
    assert [one.id for one in await all_of(client.list_agents())] == [agent.id]
    await client.archive_agent(agent.id)
    assert await all_of(client.list_agents()) == []
    assert len(await all_of(client.list_agents(status="archived"))) == 1
    assert (await client.put_secret("crm", PutSecret(value="x"))).name == "crm"
    assert [one.name for one in await all_of(client.list_secrets())] == ["crm"]
    await client.delete_secret("crm")


async def _web_calls(client: OffhookClient) -> None:
    """Nothing of the bench answers browsers."""
    agent = await client.create_agent(NewAgent(name="Web", type="inbound"))
    asked = CreateWebCallToken(agent_id=agent.id, origin="https://www.example.org")
    made = await client.create_web_call_token(asked)
    for answer in (
        client.create_web_call(CreateWebCall(sdp="v=0")),
        client.create_web_call_by_token({"token": made.token, "sdp": "v=0"}),
    ):
        with pytest.raises(ApiError) as refused:
            await answer
        assert (refused.value.status, refused.value.code) == (501, "web_calls_off")


async def _administration(client: OffhookClient, folder: Path) -> None:
    key = await client.create_api_key(CreateKey(name="crm", scope="call"))
    assert key.key is not None
    assert key.key.startswith(key.prefix)
    assert (await client.revoke_api_key(key.id)).revoked_at is not None
    assert (await client.get_api_key(key.id)).scope == "call"
    assert [one.name for one in await all_of(client.list_api_keys())] == ["crm", "tests"]
    assert [one.name for one in await all_of(client.list_models())] == ["local"]
    assert [one.languages for one in await all_of(client.list_transcribers())] == [["en", "es"]]
    assert [one.name for one in await all_of(client.list_voices())] == ["en", "es"]
    spoken = await client.preview_voice(VoicePreview(text="hello"), folder / "hello.wav")
    assert spoken.read_bytes().startswith(b"RIFF")
    sounds = await all_of(client.list_sounds())
    assert ("hold_music.ogg", 12_000) in {(one.id, one.duration_ms) for one in sounds}
    assert (await client.get_health()).checks["pbx"].message == "logged in"
    assert "offhook_calls_active" in await client.get_metrics()
    assert (await client.get_openapi())["openapi"].startswith("3.1")
    assert "<!doctype html>" in (await client.get_reference()).lower()
    assert (await client.get_llms_text()).startswith("# Offhook")


async def test_a_list_is_read_over_all_its_pages(bench: Bench) -> None:
    placed = [await bench.create() for _ in range(101)]
    async with OffhookClient(str(bench.client.base_url), bench.key) as client:
        found = [call.id async for call in client.list_calls()]
    assert found == [call["id"] for call in reversed(placed)]


async def test_an_error_names_its_fields_and_its_request(bench: Bench) -> None:
    async with OffhookClient(str(bench.client.base_url), bench.key) as client:
        with pytest.raises(ApiError) as refused:
            await client.create_call({"to": "555", "promt": "x"})
    error = refused.value
    assert (error.status, error.code) == (422, "validation_failed")
    assert [one.pointer for one in error.errors] == ["/promt"]
    assert error.request_id is not None
    assert error.request_id.startswith("req_")
    assert "did you mean prompt?" in str(error)


async def test_names_from_outside_stay_in_their_place_of_the_path(bench: Bench) -> None:
    async with OffhookClient(str(bench.client.base_url), bench.key) as client:
        for name in ("../budget", "x?y=1", "x#y", "é/ö"):
            with pytest.raises(ApiError, match="Not Found"):
                await client.get_call(name)
        for name in ("", ".", ".."):
            with pytest.raises(ValueError, match="names nothing"):
                await client.get_call(name)
