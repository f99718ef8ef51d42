"""The ways out that the settings name."""

import ssl
from dataclasses import dataclass

from api.messaging.mail import MailServer
from api.messaging.sms import HttpGateway, PbxGateway, SmsGateway
from api.settings import Settings
from pbx.switch import Switch


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


def _sms(settings: Settings, switch: Switch) -> SmsGateway | None:
    match settings.sms.kind:
        case "http":
            return HttpGateway(settings.sms.http)
        case "sip" if settings.pbx.kind == "freeswitch":
            raise WayOutError(
                "sms.kind: `sip` is not supported over FreeSWITCH; use an HTTP gateway (`http`)"
            )
        case "sip":
            return PbxGateway(switch)
    return None


def _mail(settings: Settings) -> MailServer | None:
    if not settings.smtp.configured:
        return None
    try:
        return MailServer(settings.smtp)
    except (OSError, ssl.SSLError) as error:
        raise WayOutError(f"smtp.ca_file: {settings.smtp.ca_file}: {error}") from error
