"""A real call, and what is sent after it: a SIP MESSAGE over the trunk and a mail by SMTP."""

import asyncio
from pathlib import Path
from typing import get_args

import pytest

from api.settings import Sms
from pbx.testbed import TestBed, persona
from tests.api.mailing import MailTown
from tests.e2e.conftest import phoning
from tests.pbx.test_asterisk_messages import arrived
from voice_loop.prompts import Outcome


@pytest.mark.rows("RV-14", "RV-27", "RV-29", "RV-30")
async def test_after_a_call_a_text_message_and_a_mail_go_out(bed: TestBed, tmp_path: Path) -> None:
    town = MailTown(tmp_path)
    number = persona("talker").number
    async with (
        town.server() as mailbox,
        phoning(bed, tmp_path, sms=Sms(kind="sip"), smtp=town.settings(mailbox)) as phone,
    ):
        call = await phone.call(
            "talker",
            after_call_sms_prompt="Thank {{name}} and say when the appointment is.",
            variables={"name": "Maria"},
            email_notification_address="front@example.org",
            email_notification_outcomes=list(get_args(Outcome)),
        )
        assert call["outcome"] is not None
        sender, text = await arrived(bed, number)
        (mail,) = await mailbox.wait(1)
        async with asyncio.timeout(20):
            while True:
                sent = [one async for one in phone.client.list_call_messages(call["id"])]
                if all(one.status == "sent" for one in sent):
                    break
                await asyncio.sleep(0.05)
    assert {(one.kind, one.purpose, one.attempt_count) for one in sent} == {
        ("sms", "after_call", 1),
        ("email", "notification", 1),
    }
    (written,) = [one.body for one in sent if one.kind == "sms"]
    assert text.replace("\r", "") == written
    assert sender == f"<sip:{call['from_number']}@127.0.0.1>"
    assert mail["Subject"] == f"Call to {number}: {call['outcome'].replace('_', ' ')}"
    body = mail.get_content()
    assert f"/v1/calls/{call['id']}" in body
    assert " ".join(call["summary"].split()) in " ".join(body.split())
