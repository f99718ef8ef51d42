"""What the agent texts and mails during the call, and to whom it cannot."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from api.calls.runner import CallRunner
from api.messaging.mail import MailServer
from api.messaging.sms import HttpGateway
from api.messaging.ways import WaysOut
from api.resources.call import Call, NewCall
from api.resources.message import Message
from api.settings import Settings, SmsHttp
from api.store import Store, StoreError
from api.tools.messaging import MAX_MESSAGES
from api.tools.toolbox import Toolbox
from tests.api.conftest import SEAL, Bench
from tests.api.doors import client_of
from tests.api.mailing import MailTown
from tests.api.receiver import Received, Receiver, receiving, status
from tests.api.story import NUMBER, OURS, answered, claimed
from tests.api.switchboard import Office, impatient, until
from tests.voice_loop.scripted import HandSet, frame
from voice_loop.prompts import tool_call_text, tool_response_text
from voice_loop.tools import Tool

TRUSTING = Settings.model_validate({"calls": {"trusted_caller_id_trunks": ["trusted"]}})
FRONT, BACK = "front@example.org", "back@example.org"


@pytest.fixture
def town(tmp_path: Path) -> MailTown:
    return MailTown(tmp_path)


async def called(store: Store, *tools: Mapping[str, Any], **order: Any) -> Call:
    agent = {"tools": [dict(tool) for tool in tools]}
    return await answered(store, agent=agent, variables={"name": "Maria"}, **order)


@asynccontextmanager
async def tools_of(
    store: Store,
    call: Call,
    sms: Receiver | None = None,
    mail: MailServer | None = None,
    settings: Settings | None = None,
    **ways: Any,
) -> AsyncIterator[tuple[Tool, ...]]:
    gateway = None if sms is None else HttpGateway(SmsHttp(url=sms.url, timeout_s=5.0))
    out = WaysOut(gateway, mail, **ways)
    async with Toolbox(settings or Settings(), store, SEAL, out) as box:
        yield box.tools_for(call, HandSet())
    await out.close()


async def put_down(store: Store, call: Call) -> list[Message]:
    """The call's messages, oldest first."""
    return list((await store.messages.page(limit=50, call_id=call.id)).items)[::-1]


@pytest.mark.rows("RV-68", "RV-69", "X-OI-7")
@pytest.mark.parametrize(
    ("order", "to", "sender"),
    [({}, NUMBER, OURS), ({"direction": "inbound", "trunk": "trusted"}, OURS, NUMBER)],
)
async def test_the_agent_texts_the_person_on_the_line(
    store: Store, order: dict[str, Any], to: str, sender: str
) -> None:
    call = await called(store, {"type": "send_sms"}, **order)
    async with (
        receiving() as receiver,
        tools_of(store, call, receiver, settings=TRUSTING) as (tool,),
    ):
        arguments = {"text": "Bring your card, {{name}}."}
        jsonschema.validate(arguments, tool.spec.parameters)
        result = await tool(arguments)
    assert (result.output, result.is_error) == (f"Sent to {to}.", False)
    (request,) = receiver.got
    text = "Bring your card, {{name}}."  # the model's words are no template
    assert json.loads(request.body) == {"to": to, "from": sender, "text": text}
    (message,) = await put_down(store, call)
    assert (message.kind, message.purpose, message.status) == ("sms", "tool", "sent")
    assert (message.recipient, message.sender, message.body) == (to, sender, text)
    assert (message.attempt, message.sent_at is not None) == (1, True)


@pytest.mark.parametrize("trunk", ["other", None])
async def test_who_shows_a_number_that_nobody_vouches_for_is_not_texted(
    store: Store, trunk: str | None
) -> None:
    call = await called(store, {"type": "send_sms"}, direction="inbound", trunk=trunk)
    async with (
        receiving() as receiver,
        tools_of(store, call, receiver, settings=TRUSTING) as (tool,),
    ):
        result = await tool({"text": "Your order is on its way."})
    assert (result.output, result.is_error) == ("It could not be sent.", True)
    assert receiver.got == []
    (message,) = await put_down(store, call)
    assert "calls.trusted_caller_id_trunks" in (message.last_error or "")


@pytest.mark.parametrize(
    ("number", "why"),
    [
        *((one, "calls.allowed_prefixes") for one in ("+19005551234", "+18765551234", "anonymous")),
        ("4711", "is not known"),
    ],
)
async def test_no_number_is_texted_that_is_not_called(store: Store, number: str, why: str) -> None:
    """`called` has an inbound call come from the second number."""
    order = {"direction": "inbound", "trunk": "trusted"}
    agent = {"tools": [{"type": "send_sms"}]}
    new = NewCall(NUMBER, number, "hi", agent=agent, **order)  # type: ignore[arg-type]
    call = await store.calls.create(new)
    async with (
        receiving() as receiver,
        tools_of(store, call, receiver, settings=TRUSTING) as (tool,),
    ):
        assert (await tool({"text": "hi"})).is_error
    assert receiver.got == []
    (message,) = await put_down(store, call)
    assert why in (message.last_error or "")


@pytest.mark.rows("RV-69")
@pytest.mark.parametrize(
    "arguments",
    [{"text": "hi", "to": "+15550000000"}, {}, {"text": ""}, {"text": "x" * 1601}, {"text": 1}],
)
async def test_the_model_can_name_nobody_else(store: Store, arguments: dict[str, Any]) -> None:
    call = await called(store, {"type": "send_sms"})
    async with receiving() as receiver, tools_of(store, call, receiver) as (tool,):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(arguments, tool.spec.parameters)


@pytest.mark.rows("RV-70…72")
async def test_a_template_is_sent_as_it_stands_and_the_model_has_no_say(store: Store) -> None:
    template = "Dear {{name}}, we are at {{agent_phone_number}}."
    call = await called(store, {"type": "send_sms", "template": template})
    async with (
        receiving() as receiver,
        tools_of(store, call, receiver, from_number="+15550100077") as (tool,),
    ):
        assert tool.spec.parameters["properties"] == {}
        await tool({})
    sent = {"to": NUMBER, "from": "+15550100077", "text": f"Dear Maria, we are at {OURS}."}
    assert json.loads(receiver.got[0].body) == sent


@pytest.mark.rows("X-OI-7")
async def test_the_agent_mails_an_address_of_its_configuration(
    store: Store, town: MailTown
) -> None:
    call = await called(store, {"type": "send_email", "to": [FRONT, BACK]})
    async with town.server() as mailbox:
        server = MailServer(town.settings(mailbox))
        async with tools_of(store, call, mail=server) as (tool,):
            arguments = {"to": BACK, "subject": "A call back", "body": "Maria wants\none."}
            jsonschema.validate(arguments, tool.spec.parameters)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate({**arguments, "to": "eve@example.org"}, tool.spec.parameters)
            stranger = await tool({**arguments, "to": "eve@example.org"})
            result = await tool(arguments)
    assert stranger.is_error
    assert (result.output, result.is_error) == (f"Sent to {BACK}.", False)
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Subject"]) == (BACK, "A call back")
    assert mail.get_content().splitlines() == ["Maria wants", "one."]
    (message,) = await put_down(store, call)
    assert (message.kind, message.recipient, message.subject) == ("email", BACK, "A call back")


async def test_a_mail_is_sent_in_the_middle_of_a_call(
    store: Store, town: MailTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the stored order to the stored transcript, by way of the runner."""
    impatient(monkeypatch)
    asked = "tell the office."
    arguments = {"to": FRONT, "subject": "Maria", "body": "She comes."}
    office = Office(store)
    office.mind.answers[asked] = tool_call_text("send_email", arguments)
    office.mind.answers[tool_response_text(f"Sent to {FRONT}.")] = "they know now."
    claim = await claimed(store, agent={"tools": [{"type": "send_email", "to": [FRONT]}]})
    async with town.server() as mailbox:
        ways = WaysOut(mail=MailServer(town.settings(mailbox)))
        async with Toolbox(Settings(), store, SEAL, ways) as box:
            config = replace(office.config, tools=box.tools_for)
            runner = CallRunner(claim, store, office.switch, office.engines, config)
            running = asyncio.create_task(runner.run())
            attempt = await office.switch.dialed()
            attempt.answer()
            await until(store, claim.call.id, "answered")
            await attempt.until_spoken()
            loud = frame(office.ears.code(asked))
            for _ in range(30):
                await attempt.tick(loud)
            async with asyncio.timeout(20):
                while "they know now." not in office.mouth.said:
                    await attempt.tick()
                    await asyncio.sleep(0.001)
            attempt.end()
            await running
    assert [mail["Subject"] for mail in mailbox.mails] == ["Maria"]
    turns = await store.calls.turns(claim.call.id)
    (turn,) = (turn for turn in turns if turn.speaker == "tool")
    assert turn.tool is not None
    assert (turn.tool["name"], turn.tool["arguments"]) == ("send_email", arguments)
    (message,) = await put_down(store, claim.call)
    assert (message.status, message.purpose, message.attempt) == ("sent", "tool", 1)


async def test_what_a_mail_says_can_be_fixed(store: Store, town: MailTown) -> None:
    fixed = {"subject": "About {{name}}", "body": "Call {{user_phone_number}}."}
    call = await called(store, {"type": "send_email", "to": [FRONT], **fixed})
    async with (
        town.server() as mailbox,
        tools_of(store, call, mail=MailServer(town.settings(mailbox))) as (tool,),
    ):
        assert list(tool.spec.parameters["properties"]) == ["to"]
        await tool({"to": FRONT})
    (mail,) = mailbox.mails
    assert (mail["Subject"], mail.get_content().strip()) == ("About Maria", f"Call {NUMBER}.")


async def test_what_was_not_sent_is_told_and_put_down(store: Store) -> None:
    call = await called(store, {"type": "send_sms"})
    async with receiving(status(503)) as receiver, tools_of(store, call, receiver) as (tool,):
        result = await tool({"text": "hi"})
    assert (result.output, result.is_error) == ("It could not be sent.", True)
    (message,) = await put_down(store, call)
    assert (message.status, message.sent_at, message.next_attempt_at) == ("failed", None, None)
    assert "503" in (message.last_error or "")


async def test_a_template_without_a_value_is_told(store: Store) -> None:
    call = await called(store, {"type": "send_sms", "template": "Hi {{nobody}}"})
    async with receiving() as receiver, tools_of(store, call, receiver) as (tool,):
        result = await tool({})
    assert result.is_error
    assert "{{nobody}} has no value" in result.output


async def test_nobody_talks_the_agent_into_flooding_them(store: Store) -> None:
    call = await called(store, {"type": "send_sms"})
    async with receiving() as receiver, tools_of(store, call, receiver) as (tool,):
        results = [await tool({"text": "hi"}) for _ in range(MAX_MESSAGES + 2)]
    assert [result.is_error for result in results] == [False] * MAX_MESSAGES + [True] * 2
    assert len(receiver.got) == MAX_MESSAGES


async def test_a_call_that_ends_meanwhile_does_not_leave_it_unknown(store: Store) -> None:
    goes_on = asyncio.Event()

    async def later(received: Received, writer: asyncio.StreamWriter) -> None:
        await goes_on.wait()
        await status(204)(received, writer)

    call = await called(store, {"type": "send_sms"})
    async with receiving(later) as receiver, tools_of(store, call, receiver) as (tool,):
        using = asyncio.ensure_future(tool({"text": "hi"}))
        await receiver.wait(1)
        using.cancel()
        with pytest.raises(asyncio.CancelledError):
            await using
        goes_on.set()
        async with asyncio.timeout(20):
            while not await put_down(store, call):
                await asyncio.sleep(0.01)
    assert [message.status for message in await put_down(store, call)] == ["sent"]


async def test_a_store_that_fails_does_not_make_it_unsent(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def record(*_: Any) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("api.tools.messaging._BOOKING_WAITS_S", (0.0, 0.0))
    monkeypatch.setattr(store.messages, "record", record)
    call = await called(store, {"type": "send_sms"})
    async with receiving() as receiver, tools_of(store, call, receiver) as (tool,):
        assert not (await tool({"text": "hi"})).is_error
    assert len(receiver.got) == 1
    assert "is not in the store" in caplog.text


async def test_where_there_is_no_way_out_there_is_no_tool(store: Store) -> None:
    call = await called(store, {"type": "send_sms"}, {"type": "send_email", "to": [FRONT]})
    async with tools_of(store, call) as tools:
        assert tools == ()


# -- what is refused when it is saved --------------------------------------------------------------

WAYS = {
    "OFFHOOK_SMS__KIND": "http",
    "OFFHOOK_SMS__HTTP__URL": "http://127.0.0.1:1/",
    "OFFHOOK_SMTP__HOST": "localhost",
    "OFFHOOK_SMTP__FROM_ADDRESS": "calls@example.org",
}
MESSAGES: dict[str, Any] = {
    "after_call_sms_prompt": "Thank them.",
    "voicemail_sms_prompt": "Call us.",
    "email_notification_address": FRONT,
    "email_notification_outcomes": ["interested"],
    "tools": [{"type": "send_sms"}, {"type": "send_email", "to": [FRONT]}],
}


@pytest.mark.rows("RV-14", "RV-27", "RV-68", "RV-93")
async def test_what_needs_a_way_out_is_refused_without_one(bench: Bench) -> None:
    body = {"to": NUMBER, "prompt": "x", **MESSAGES}
    refused = await bench.client.post("/v1/calls", json=body)
    assert refused.status_code == 422
    wrong = {error["pointer"]: error["code"] for error in refused.json()["errors"]}
    assert wrong == {
        "/after_call_sms_prompt": "not_configured",
        "/voicemail_sms_prompt": "not_configured",
        "/email_notification_address": "not_configured",
        "/tools/0/type": "not_configured",
        "/tools/1/type": "not_configured",
    }
    async with client_of(bench, bench.key, WAYS) as client:
        accepted = await client.post("/v1/calls", json=body)
    assert accepted.status_code == 201, accepted.text


@pytest.mark.rows("RV-28", "RV-30…36")
@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("email_notification_address", "front", "/email_notification_address"),
        ("email_notification_address", "a@b\r\nBcc: c@d", "/email_notification_address"),
        ("email_notification_outcomes", ["sold"], "/email_notification_outcomes/0"),
        ("after_call_sms_prompt", "Thank {{nobody}}.", "/after_call_sms_prompt"),
        ("voicemail_sms_prompt", "Call {{nobody}}.", "/voicemail_sms_prompt"),
        ("tools", [{"type": "send_sms", "template": "x" * 1601}], "/tools/0/template"),
        ("tools", [{"type": "send_email", "to": ["front"]}], "/tools/0/to/0"),
    ],
)
async def test_what_cannot_be_sent_is_pointed_at(
    bench: Bench, field: str, value: Any, place: str
) -> None:
    async with client_of(bench, bench.key, WAYS) as client:
        body = {"to": NUMBER, "prompt": "x", **MESSAGES, field: value}
        refused = await client.post("/v1/calls", json=body)
    assert refused.status_code == 422, refused.text
    assert [error["pointer"] for error in refused.json()["errors"]] == [place]


async def test_without_outcomes_nobody_can_be_told_of_them(bench: Bench) -> None:
    async with client_of(bench, bench.key, WAYS | {"OFFHOOK_CALLS__ANALYSIS": "false"}) as client:
        body = {"to": NUMBER, "prompt": "x", **MESSAGES}
        refused = await client.post("/v1/calls", json=body)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/email_notification_outcomes", "not_configured")
    assert "calls.analysis" in error["detail"]
