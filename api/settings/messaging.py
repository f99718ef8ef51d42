"""Text messages and mail."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from api.base.mail_addresses import is_email
from api.settings.section import E164, Certificates, Port, Section


def _sms_body(body: str) -> str:
    json.loads(body)
    known = ("to", "from", "text", "id")
    for name in re.findall(r"\{\{(.*?)\}\}", body):
        if name.strip() not in known:
            raise ValueError(f"there is no {name.strip()!r}, but {', '.join(known)}")
    return body


class SmsHttp(Section):
    """An HTTP gateway for text messages: each one is a request to it, of JSON."""

    url: str | None = Field(
        default=None, description="Where messages are sent to; any 2xx answer means that they are."
    )
    method: Literal["POST", "PUT", "PATCH"] = Field(default="POST", description="Of the request.")
    token: SecretStr | None = Field(default=None, description="Sent as `Authorization: Bearer …`.")
    headers: Mapping[str, SecretStr] = Field(
        default={}, description="Further headers by name; in the environment as JSON."
    )
    body: Annotated[str, AfterValidator(_sms_body)] = Field(
        default='{"to": "{{to}}", "from": "{{from}}", "text": "{{text}}"}',
        description="The request's body: JSON whose texts hold `{{to}}`, `{{from}}`, `{{text}}`, "
        "and `{{id}}`, the same on each attempt at a message.",
    )
    timeout_s: float = Field(default=10.0, gt=0, description="Seconds that it has to answer.")

    @field_validator("url")
    @classmethod
    def _of_http(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"https?://[^\s/]", url):
            raise ValueError("write it as https://sms.example.org/send")
        return url

    @field_validator("headers")
    @classmethod
    def _printable(cls, headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        for name, value in headers.items():
            if not re.fullmatch(r"[A-Za-z0-9-]+", name):
                raise ValueError(f"{name!r} is no header's name")
            if not re.fullmatch(r"[\x20-\x7e]*", value.get_secret_value()):
                raise ValueError(f"the value of {name} is not printable ASCII")
        return headers


class Sms(Section):
    """Text messages."""

    kind: Literal["none", "http", "sip"] = Field(
        default="none",
        description="How they are sent: not at all, by an HTTP gateway (`sms.http`), or by the PBX "
        "over the call's trunk as SIP MESSAGE (Asterisk only; at most 700 bytes each).",
    )
    from_number: E164 | None = Field(
        default=None, description="Who sends them; unset means our number in the call."
    )
    http: SmsHttp = SmsHttp()

    @property
    def configured(self) -> bool:
        """Whether there is a way to send them."""
        return self.kind != "none"

    @model_validator(mode="after")
    def _has_url(self) -> Self:
        if self.kind == "http" and self.http.url is None:
            raise ValueError("kind `http` needs sms.http.url")
        return self


class Smtp(Section):
    """Mail, through a server of yours."""

    host: str | None = Field(
        default=None, description="The mail server; unset means that no mail is sent."
    )
    port: Port | None = Field(
        default=None,
        description="Its TCP port; unset means 587 with `starttls`, 465 with `tls`, 25 with "
        "`none`.",
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`starttls`: encrypted after the greeting, or not at all sent (RFC 3207). "
        "`tls`: encrypted from the start (RFC 8314). `none`: in the clear.",
    )
    ca_file: Certificates | None = Field(
        default=None,
        description="Certificates (PEM) to trust; unset means those that the system trusts.",
    )
    username: str | None = Field(
        default=None, description="Account to log in with; unset means no login."
    )
    password: SecretStr | None = Field(default=None, description="Its password.")
    from_address: str | None = Field(
        default=None, description="Whom mails are from, as `calls@example.org`; needed with `host`."
    )
    allowed_recipients: tuple[str, ...] = Field(
        default=(),
        description="Whom a key with the scope `call` may have mailed by what its requests say, as "
        "`desk@example.org` or `*@example.org`; agents may name anybody.",
    )
    timeout_s: float = Field(
        default=20.0, gt=0, description="Seconds after which sending one mail is given up."
    )

    @property
    def configured(self) -> bool:
        """Whether there is a server."""
        return self.host is not None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.host is not None and self.from_address is None:
            raise ValueError("host needs smtp.from_address: whom mails are from")
        if self.from_address is not None and not is_email(self.from_address):
            raise ValueError("smtp.from_address is no mail address; write calls@example.org")
        if (self.username is None) != (self.password is None):
            raise ValueError("smtp.username and smtp.password come together")
        if self.username is not None and self.security == "none":
            raise ValueError("a password is not sent in the clear: set smtp.security")
        return self
