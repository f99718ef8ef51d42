"""Mails through a real SMTP server: TLS, login, refusals for now and for good, and injections."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api.messaging.mail import MailServer
from api.messaging.outgoing import Mail, NotSentError
from api.messaging.ways import check_ways
from api.settings import Settings, Smtp
from tests.api.mailing import MailTown

MAIL = Mail("m-1", "front@example.org", "Call: interested", "She wants it.\nSoon.", 1_700_000_000)


@pytest.fixture
def town(tmp_path: Path) -> MailTown:
    return MailTown(tmp_path)


async def refused(settings: Smtp, mail: Mail = MAIL) -> NotSentError:
    with pytest.raises(NotSentError) as problem:
        await MailServer(settings).send(mail)
    return problem.value


@pytest.mark.rows("RV-27", "RV-29")
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_mail_goes_encrypted_and_logged_in(town: MailTown, security: str) -> None:
    async with town.server(security) as mailbox:
        await MailServer(town.settings(mailbox, security=security)).send(MAIL)
    (mail,) = mailbox.mails
    assert mailbox.envelopes == [("calls@example.org", ["front@example.org"])]
    assert (mail["From"], mail["To"]) == ("calls@example.org", "front@example.org")
    assert mail["Subject"] == "Call: interested"
    assert mail["Message-ID"] == "<m-1@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert mail.get_content().splitlines() == ["She wants it.", "Soon."]


async def test_a_mail_in_the_clear_where_it_is_asked_for(town: MailTown) -> None:
    async with town.server("none", login=False) as mailbox:
        settings = {"security": "none", "username": None, "password": None}
        await MailServer(town.settings(mailbox, **settings)).send(MAIL)
    assert len(mailbox.mails) == 1


async def test_other_writing_arrives_as_it_is(town: MailTown) -> None:
    async with town.server() as mailbox:
        mail = Mail("m-2", "a@example.org", "Señora Łukasz: ja", "¿Mañana? – да\n" + "x" * 3000, 0)
        await MailServer(town.settings(mailbox)).send(mail)
    (got,) = mailbox.mails
    assert got["Subject"] == "Señora Łukasz: ja"
    assert got.get_content().splitlines() == mail.body.splitlines()


async def test_nothing_can_be_put_into_the_headers(town: MailTown) -> None:
    async with town.server() as mailbox:
        server = MailServer(town.settings(mailbox))
        evil = "hi\r\nBcc: all@example.org\r\n\r\nowned"
        await server.send(Mail("m-3", "a@example.org", evil, ".\r\nQUIT\r\n\0", 0))
        for to in ("a@example.org\r\nBcc: b@example.org", "a@b> SIZE=1", "a,b@example.org", ""):
            problem = await refused(town.settings(mailbox), Mail("m-4", to, "s", "b", 0))
            assert problem.final
    (mail,) = mailbox.mails
    assert mail["Subject"] == "hi Bcc: all@example.org owned"
    assert mail["Bcc"] is None
    assert mailbox.envelopes == [("calls@example.org", ["a@example.org"])]
    assert mail.get_content().split() == [".", "QUIT"]


@pytest.mark.parametrize(
    ("answers", "final"),
    [
        ({"recipient_answers": ["450 4.2.0 greylisted, come back"]}, False),
        ({"recipient_answers": ["550 5.1.1 no such user"]}, True),
        ({"data_answers": ["451 4.3.0 try later"]}, False),
        ({"data_answers": ["554 5.7.1 spam"]}, True),
    ],
)
async def test_a_refusal_for_now_and_one_for_good(
    town: MailTown, answers: dict[str, list[str]], final: bool
) -> None:
    async with town.server() as mailbox:
        for name, value in answers.items():
            setattr(mailbox, name, value)
        problem = await refused(town.settings(mailbox))
        assert problem.final is final
        assert next(iter(answers.values())) == []
        await MailServer(town.settings(mailbox)).send(MAIL)
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"password": "hush-hush"}, "refused us: 535"),
        ({"ca_file": None}, "certificate verify failed"),
        ({"host": "127.0.0.1"}, "certificate verify failed|IP address mismatch"),
        ({"security": "tls"}, "cannot be used"),
        ({"port": 1}, "cannot be used"),
    ],
)
async def test_what_the_operator_can_mend_is_tried_again(
    town: MailTown, values: dict[str, Any], told: str
) -> None:
    async with town.server() as mailbox:
        problem = await refused(town.settings(mailbox, **values))
    assert not problem.final
    with pytest.raises(NotSentError, match=told):
        raise problem
    assert "hush" not in str(problem)
    assert mailbox.mails == []


async def test_a_server_without_tls_gets_neither_password_nor_mail(town: MailTown) -> None:
    async with town.server("none", login=False) as mailbox:
        problem = await refused(town.settings(mailbox))
    assert not problem.final
    assert mailbox.mails == []


async def test_a_server_that_hangs_is_given_up(town: MailTown) -> None:
    async with town.server() as mailbox:
        mailbox.hangs = True
        problem = await refused(town.settings(mailbox, timeout_s=0.5))
        assert "within 0.5 s" in str(problem)
        assert not problem.final


async def test_a_mail_that_is_given_up_leaves_no_connection(town: MailTown) -> None:
    async with town.server() as mailbox:
        mailbox.hangs = True
        sending = asyncio.create_task(MailServer(town.settings(mailbox)).send(MAIL))
        async with asyncio.timeout(20):
            await mailbox.reached.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await mailbox.left.wait()


async def test_the_doctor_looks_at_the_mail_server_and_sends_nothing(town: MailTown) -> None:
    async with town.server() as mailbox:
        smtp = town.settings(mailbox)
        (well,) = await check_ways(Settings(smtp=smtp))
        wrong = smtp.model_copy(update={"password": SecretStr("hush-hush")})
        (ill,) = await check_ways(Settings(smtp=wrong))
    assert (well.ok, well.message) == (True, "mails by localhost as calls@example.org")
    assert not ill.ok
    assert "refused us: 535" in ill.message
    assert "hush" not in ill.message
    assert mailbox.mails == []
    assert await check_ways(Settings()) == []
