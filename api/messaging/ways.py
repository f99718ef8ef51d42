"""The ways out that the settings name."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.messaging.mail import MailServer
from api.messaging.outgoing import NotSentError
from api.messaging.sms import HttpGateway, PbxGateway, SmsGateway
from api.settings import Settings
from pbx.switch import Finding, Switch


class WayOutError(Exception):
    """The settings name a way out that does not exist; the message names the setting."""


@dataclass(frozen=True)
class WaysOut:
    """How messages leave; None: not at all."""

    sms: SmsGateway | None = None
    mail: MailServer | None = None
    from_number: str | None = None
    """Who sends text messages; None: our number in the call."""

    async def close(self) -> None:
        """Give connections back."""
        if self.sms is not None:
            await self.sms.close()


def ways_out(settings: Settings, switch: Switch) -> WaysOut:
    """Raises WayOutError."""
    return WaysOut(_sms(settings, switch), _mail(settings), settings.sms.from_number)


async def check_ways(settings: Settings) -> Sequence[Finding]:
    """What `offhook doctor` says of them; nothing is sent."""
    findings = []
    if settings.sms.configured:
        wrong = _unsupported(settings)
        told = wrong or f"text messages by {settings.sms.kind}"
        findings.append(Finding("sms", ok=wrong is None, message=told))
    try:
        if (mail := _mail(settings)) is not None:
            await mail.check()
            where = f"{settings.smtp.host} as {mail.from_address}"
            findings.append(Finding("smtp", ok=True, message=f"mails by {where}"))
    except NotSentError as error:
        findings.append(Finding("smtp", ok=False, message=f"{error}; see `[smtp]`"))
    return findings


def _unsupported(settings: Settings) -> str | None:
    if settings.sms.kind == "sip" and settings.pbx.kind == "freeswitch":
        return "sms.kind: `sip` is not supported over FreeSWITCH; use an HTTP gateway (`http`)"
    return None


def _sms(settings: Settings, switch: Switch) -> SmsGateway | None:
    if (wrong := _unsupported(settings)) is not None:
        raise WayOutError(wrong)
    match settings.sms.kind:
        case "http":
            return HttpGateway(settings.sms.http)
        case "sip":
            return PbxGateway(switch)
    return None


def _mail(settings: Settings) -> MailServer | None:
    return MailServer(settings.smtp) if settings.smtp.configured else None
