"""Settings: one TOML file, every key overridable by the environment, nothing else is read.

`OFFHOOK_CONFIG` names the file (default: `offhook.toml` when it is there). A key `ami.host` of
section `pbx` is overridden by `OFFHOOK_PBX__AMI__HOST`. An unknown key is an error that names
the nearest known one. This module is the only reader of the environment.
"""

import difflib
import json
import re
import ssl
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from api.dialing.zones import zone
from api.mail_addresses import is_email
from api.numbers import is_e164
from api.signing import decode_secret

ENV_PREFIX = "OFFHOOK_"
CONFIG_VARIABLE = "OFFHOOK_CONFIG"
DEFAULT_FILE = "offhook.toml"


class SettingsError(Exception):
    """The settings cannot be used; the message names every wrong key and how to mend it."""


def _e164(number: str) -> str:
    if not is_e164(number):
        raise ValueError("write it in E.164 form: a plus sign and 7 to 15 digits, as +15551234567")
    return number


def _signing_secret(secret: SecretStr) -> SecretStr:
    try:
        decode_secret(secret.get_secret_value())
    except ValueError as error:
        raise ValueError(str(error)) from error
    return secret


def _postgres_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("write it as postgresql://user:password@host:5432/database")
    return url


def _certificates(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # of which SSLError is one
        raise ValueError(f"no certificates can be read there ({error})") from error
    return path


def _sms_body(body: str) -> str:
    json.loads(body)
    known = ("to", "from", "text", "id")
    for name in re.findall(r"\{\{(.*?)\}\}", body):
        if name.strip() not in known:
            raise ValueError(f"there is no {name.strip()!r}, but {', '.join(known)}")
    return body


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write it as https://calls.example.org, without a query")
    return url.rstrip("/")


def _endpoint_url(url: str) -> str:
    parts = urlsplit(url)
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise ValueError("write it as http://10.0.0.5:8000/v1, without a user name and a query")
    return url.rstrip("/")


def _time_zone(name: str) -> str:
    zone(name)
    return name


#: Body of a webhook.
PayloadStyle = Literal["call", "envelope", "callingbox", "callingbox_call", "oneinbox", "revox"]
E164 = Annotated[str, AfterValidator(_e164)]
Port = Annotated[int, Field(ge=1, le=65535)]
#: What an operator calls something: a table's name.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
#: Stands for it in the list of all settings.
ANY_NAME: Final = "<name>"


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Server(Section):
    """The HTTP server."""

    host: str = Field(default="127.0.0.1", description="Address that the HTTP server listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    public_url: Annotated[str, AfterValidator(_base_url)] | None = Field(
        default=None,
        description="Where clients reach the server, as `https://calls.example.org`: what links "
        "begin with. Unset means `http://` with `server.host` and its port.",
    )
    max_body_bytes: int = Field(
        default=262_144,
        ge=1024,
        description="Largest request body in bytes; more is answered with 413.",
    )
    rate_limit_per_minute: int = Field(
        default=6000,
        ge=0,
        description="Requests per minute that an API key may make of this process, unless the key "
        "has a limit of its own; more is answered with 429. 0 is no limit.",
    )
    sse_heartbeat_s: float = Field(
        default=15.0, gt=0, description="Seconds between heartbeat comments on an event stream."
    )


class StoreSection(Section):
    """Where orders are kept."""

    path: Path = Field(
        default=Path("offhook-data/offhook.db"),
        description="SQLite file; its folder is made when absent.",
    )
    url: Annotated[SecretStr, AfterValidator(_postgres_url)] | None = Field(
        default=None,
        description="PostgreSQL database (14 or newer) in place of the file, as "
        "`postgresql://user:password@host:5432/offhook`; several servers may share it.",
    )
    seal_key: SecretStr | None = Field(
        default=None,
        description="Key that secrets in the store are sealed with: 32 bytes in URL-safe base64. "
        "Unset means `seal.key` beside `path`, made at the first start. Servers that share a store "
        "need the same.",
    )
    pool_size: int = Field(
        default=10, ge=2, le=200, description="PostgreSQL: most connections of this process."
    )
    timeout_s: float = Field(
        default=10.0,
        gt=0,
        description="PostgreSQL: seconds to wait for a connection, a lock or a statement.",
    )


class Ami(Section):
    """The Asterisk Manager Interface of the PBX."""

    host: str = Field(default="127.0.0.1", description="Host of Asterisk's manager interface.")
    port: Port = Field(default=5038, description="Its TCP port.")
    username: str = Field(default="offhook", description="Manager user, as in manager.conf.")
    secret: SecretStr = Field(default=SecretStr(""), description="The manager user's secret.")
    timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds to wait for a connection, a login or an answer."
    )


class FastAgi(Section):
    """Where Asterisk's dialplan asks about inbound calls."""

    host: str = Field(
        default="127.0.0.1",
        description="Local address that FastAGI listens on. Keep it where only Asterisk gets to.",
    )
    port: Port = Field(
        default=4573, description="Its TCP port, as in the `AGI` line of extensions.conf."
    )


class Esl(Section):
    """The Event Socket of the PBX."""

    host: str = Field(default="127.0.0.1", description="Host of FreeSWITCH's event socket.")
    port: Port = Field(default=8021, description="Its TCP port.")
    password: SecretStr = Field(
        default=SecretStr(""), description="Its password, as in event_socket.conf.xml."
    )
    timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds to wait for a connection, a login or an answer."
    )
    unicast_host: str | None = Field(
        default=None,
        description="FreeSWITCH's own IP address for its end of the audio; unset means the one "
        "that its event socket is reached at.",
    )
    unicast_port_min: int = Field(
        default=20000,
        ge=1024,
        le=65535,
        description="First UDP port that FreeSWITCH may take for its end of the audio; apart from "
        "its own RTP ports.",
    )
    unicast_port_max: int = Field(
        default=21999, ge=1024, le=65535, description="Last one of that range."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.unicast_port_min > self.unicast_port_max:
            raise ValueError("unicast_port_min must not be greater than unicast_port_max")
        return self


class Pbx(Section):
    """The operator's PBX."""

    kind: Literal["asterisk", "freeswitch"] = Field(
        default="asterisk", description="Which PBX it is."
    )
    trunk: str = Field(
        default="trunk",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="Name of the SIP trunk: Asterisk's PJSIP endpoint, FreeSWITCH's gateway. It is "
        "added to `/v1/trunks` where it is not there.",
    )
    codec: Literal["ulaw", "alaw"] = Field(
        default="ulaw",
        description="Asterisk: the codec between it and Offhook. FreeSWITCH: the codec that the "
        "trunk is offered first.",
    )
    inbound: bool = Field(
        default=True,
        description="Whether calls that the trunk brings are taken: by the inbound agent of the "
        "number that was dialled.",
    )
    ami: Ami = Ami()
    fastagi: FastAgi = FastAgi()
    esl: Esl = Esl()


class Rtp(Section):
    """Audio between Offhook and the PBX."""

    bind: str = Field(default="127.0.0.1", description="Local address that RTP is received on.")
    advertise: str | None = Field(
        default=None, description="Address that the PBX sends RTP to; unset means `rtp.bind`."
    )
    port_min: Port = Field(default=12000, description="First UDP port of the range.")
    port_max: Port = Field(default=12999, description="Last UDP port of the range.")
    max_legs: int = Field(default=200, ge=1, description="Most media legs open at one time.")


class EngineEndpoint(Section):
    """An engine on your own network."""

    url: Annotated[str, AfterValidator(_endpoint_url)] = Field(
        description="Base URL of an OpenAI-compatible server, as `http://10.0.0.5:8000/v1`."
    )
    model: str = Field(min_length=1, description="The model's name there.")
    api_key: SecretStr | None = Field(default=None, description="Sent there as bearer token.")
    timeout_s: float = Field(default=15.0, gt=0, description="Seconds that each wait may take.")


class LlmEndpoint(EngineEndpoint):
    """A language model on your own network (`/chat/completions`), by its name for agents."""

    options: Mapping[str, Any] = Field(
        default_factory=dict,
        description="More keys for each request's body, as "
        "`{ chat_template_kwargs = { enable_thinking = false } }`.",
    )


class TranscriberEndpoint(EngineEndpoint):
    """Speech recognition on your own network (`/audio/transcriptions`), by its name for agents."""

    languages: tuple[str, ...] = Field(
        min_length=1, description="Codes of the languages that it hears, as `en`."
    )


class VoiceEndpoint(EngineEndpoint):
    """A voice on your own network (`/audio/speech`), by its name for agents."""

    voice: str = Field(min_length=1, description="The voice's name there.")
    languages: tuple[str, ...] = Field(
        min_length=1, description="Codes of the languages that it speaks, as `en`."
    )
    rate: int = Field(
        default=24_000, ge=8000, le=48_000, description="Samples per second of what it sends."
    )
    format: Literal["pcm", "wav"] = Field(
        default="pcm",
        description="What it is asked for: bare samples (16 bits, little-endian, mono), or `wav`.",
    )


class Models(Section):
    """The engines: speech recognition, language model, voice."""

    set: str = Field(
        default="starter", description="Name of the model set; see `offhook models list`."
    )
    dir: Path | None = Field(
        default=None, description="Folder of pulled sets; unset means the user's data directory."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the engines run."
    )
    compute_type: str = Field(
        default="auto",
        description="Arithmetic of speech recognition (ctranslate2's names, as int8).",
    )
    threads: int = Field(
        default=0, ge=0, description="CPU threads per engine; 0 chooses by machine and model."
    )
    timeout_s: float = Field(
        default=15.0, gt=0, description="Seconds after which one engine request is given up."
    )
    aliases: Mapping[Annotated[str, Field(min_length=1, max_length=256)], str] = Field(
        default_factory=dict,
        description='Other names of engines: `{ "gpt-4.1" = "local", "cartesia/a0e99841" = '
        '"en" }`.',
    )
    llms: Mapping[Name, LlmEndpoint] = Field(default_factory=dict)
    transcribers: Mapping[Name, TranscriberEndpoint] = Field(default_factory=dict)
    voices: Mapping[Name, VoiceEndpoint] = Field(default_factory=dict)


class Voice(Section):
    """The conversation."""

    end_of_turn_ms: int = Field(
        default=420,
        ge=100,
        le=5000,
        description="Milliseconds of silence that end a person's turn.",
    )
    barge_in: bool = Field(default=True, description="Whether the person may interrupt the agent.")
    barge_in_ms: int = Field(
        default=160,
        ge=20,
        le=5000,
        description="Milliseconds of speech that count as an interruption.",
    )
    silence_prompt_s: float = Field(
        default=8.0,
        gt=0,
        description="Seconds of silence after which the agent asks if one is there.",
    )
    silence_prompts: int = Field(
        default=1, ge=0, le=10, description="How often it asks before it says goodbye."
    )
    opening_delay_ms: int = Field(
        default=600,
        ge=0,
        le=10_000,
        description="Milliseconds after the answer in which the person may say hello first.",
    )


class Calls(Section):
    """What calls may be placed."""

    numbers: tuple[E164, ...] = Field(
        default=(),
        description="Caller numbers of this deployment, the default first. They are added to "
        "`/v1/numbers` where they are not there; the oldest active one is the default.",
    )
    inbound_numbers: Mapping[Annotated[str, Field(min_length=1, max_length=40)], E164] = Field(
        default_factory=dict,
        description="Numbers of yours by what the trunk tells in their place of inbound calls, "
        'where that is no form of the number itself: `{ "100" = "+15551234567" }`.',
    )
    default_language: str = Field(default="en", description="Language of a call that names none.")
    default_timezone: Annotated[str, AfterValidator(_time_zone)] | None = Field(
        default=None,
        description="Time zone of callees whose number no numbering plan knows, as "
        "`Europe/Berlin`; unset means that they need `retry.timezone`.",
    )
    max_concurrent: int = Field(default=10, ge=1, description="Most calls in progress at one time.")
    ring_timeout_s: int = Field(default=30, ge=1, le=600, description="Seconds to let it ring.")
    analysis: bool = Field(
        default=True,
        description="Whether the language model says what a call came to: `outcome`, `summary`.",
    )
    max_duration_s: int = Field(
        default=600,
        ge=5,
        le=86_400,
        description="Longest conversation in seconds; a call may ask for less.",
    )
    max_transferred_s: int = Field(
        default=14_400,
        ge=60,
        le=86_400,
        description="How long two people may talk whom a transfer has joined, in seconds; then "
        "they are hung up.",
    )


class Webhooks(Section):
    """Deliveries of lifecycle events."""

    timeout_s: float = Field(default=10.0, gt=0, description="Seconds a receiver has to answer.")
    allow_http: bool = Field(
        default=False, description="Whether `http://` receivers are allowed beside `https://`."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="If given, only these host names are delivered to (`*.example.org` too).",
    )
    allowed_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Networks (CIDR) allowed although they are loopback or link-local, which are "
        "refused otherwise.",
    )
    retry_schedule_s: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        default=(60, 300, 1800, 7200, 18_000, 36_000, 86_400),
        description="Seconds before each retry of a failed delivery; then it is given up.",
    )
    retry_jitter: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="Random share by which a delay is shortened or lengthened.",
    )
    per_host: int = Field(
        default=4, ge=1, description="Most simultaneous deliveries to one receiver."
    )
    concurrency: int = Field(default=32, ge=1, description="Most simultaneous deliveries in all.")
    payload: PayloadStyle = Field(
        default="call",
        description="Body: `call`, the call object with a `type` key; `envelope`, "
        "`{id, type, timestamp, data: {call}}`; `callingbox`, "
        "`{id, type, created, api_version, data: {call}}`; `callingbox_call`, its call object "
        "alone; `oneinbox` and `revox`, as those services tell it. An endpoint may choose its own; "
        "a call placed in a dialect has that dialect's.",
    )
    secret: Annotated[SecretStr, AfterValidator(_signing_secret)] | None = Field(
        default=None,
        description="Default signing secret (`whsec_…`); unset means one made at the first start, "
        "which can be rotated.",
    )


class Tools(Section):
    """What agents' tools, and language models that a request names, may reach over HTTP."""

    allow_http: bool = Field(
        default=False, description="Whether `http://` is allowed beside `https://`."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="If given, only these host names are reached (`*.example.org` too).",
    )
    allowed_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Networks (CIDR) allowed although they are loopback or link-local, which are "
        "refused otherwise.",
    )
    ca_file: Annotated[Path, AfterValidator(_certificates)] | None = Field(
        default=None,
        description="Certificates (PEM) to trust beside the public ones, as of your own authority.",
    )


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
    ca_file: Annotated[Path, AfterValidator(_certificates)] | None = Field(
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


class Recordings(Section):
    """Recordings of the conversations."""

    enabled: bool = Field(default=True, description="Whether calls are recorded.")
    dir: Path = Field(
        default=Path("offhook-data/recordings"), description="Folder of the WAV files."
    )


class Retention(Section):
    """How long things are kept; 0 is for ever. Only what belongs to calls that are over is
    deleted."""

    calls_days: float = Field(
        default=0.0,
        ge=0,
        description="Days after its end for which a call is kept at all; then everything of it "
        "goes.",
    )
    recordings_days: float = Field(
        default=0.0, ge=0, description="Days after its end for which a call's recordings are kept."
    )
    transcripts_days: float = Field(
        default=0.0,
        ge=0,
        description="Days after its end for which what was said, keyed in, texted and mailed is "
        "kept.",
    )
    events_days: float = Field(
        default=0.0,
        ge=0,
        description="Days after its end for which a call's events are kept; the final one stays "
        "as long as the call.",
    )
    deliveries_days: float = Field(
        default=0.0,
        ge=0,
        description="Days for which webhook deliveries that came to an end are kept, with their "
        "attempts.",
    )
    interval_s: float = Field(
        default=3600.0, gt=0, description="Seconds between two looks for what is too old."
    )


class Settings(Section):
    """All settings of one Offhook process."""

    server: Server = Server()
    store: StoreSection = StoreSection()
    pbx: Pbx = Pbx()
    rtp: Rtp = Rtp()
    models: Models = Models()
    voice: Voice = Voice()
    calls: Calls = Calls()
    webhooks: Webhooks = Webhooks()
    tools: Tools = Tools()
    sms: Sms = Sms()
    smtp: Smtp = Smtp()
    recordings: Recordings = Recordings()
    retention: Retention = Retention()


def iter_fields(
    model: type[Section] = Settings, prefix: str = ""
) -> Iterator[tuple[str, FieldInfo]]:
    """Every setting as (`section.key`, field), in the order of the file.

    In the key of one that stands in a table with a name of the operator's, that is `ANY_NAME`.
    """
    for name, field in model.model_fields.items():
        if (below := section_of(field)) is None:
            yield f"{prefix}{name}", field
        elif get_origin(field.annotation) is Mapping:
            yield from iter_fields(below, f"{prefix}{name}.{ANY_NAME}.")
        else:
            yield from iter_fields(below, f"{prefix}{name}.")


def section_of(field: FieldInfo) -> type[Section] | None:
    """The section that a field is, or that each of its named tables is."""
    kinds = (field.annotation, *get_args(field.annotation))
    return next((one for one in kinds if isinstance(one, type) and issubclass(one, Section)), None)


def env_name(key: str) -> str:
    """The environment variable that overrides `section.key`."""
    return ENV_PREFIX + key.upper().replace(".", "__")


def load_settings(path: Path | None, env: Mapping[str, str]) -> Settings:
    """Read the settings file and the environment's overrides.

    Args:
        path: the file; None means `OFFHOOK_CONFIG`, else `offhook.toml` if there is one.
        env: the environment, normally `os.environ`.

    Raises:
        SettingsError: the file cannot be read, a key is unknown, or a value is wrong.
    """
    tree = _read_file(path, env)
    known = dict(iter_fields())
    problems: list[str] = []
    for name, value in sorted(env.items()):
        if not name.startswith(ENV_PREFIX) or name == CONFIG_VARIABLE:
            continue
        key = name.removeprefix(ENV_PREFIX).lower().replace("__", ".")
        if (field := _field(key, known)) is not None:
            _put(tree, key, _from_text(value, field))
        elif "__" in name or _nearest(name, map(env_name, known), cutoff=0.9):
            near = _nearest(name, map(env_name, known))
            problems.append(
                f"{name}: no such setting" + (f"; did you mean {near}?" if near else "")
            )
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems += [_problem(item["loc"], item["type"], item["msg"]) for item in error.errors()]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _field(key: str, known: Mapping[str, FieldInfo]) -> FieldInfo | None:
    """The setting of this key, which may hold a name of the operator's."""
    if key in known:
        return known[key]
    for pattern, field in known.items():
        before, name, after = pattern.partition(ANY_NAME)
        if name and re.fullmatch(f"{re.escape(before)}[^.]+{re.escape(after)}", key):
            return field
    return None


def _read_file(path: Path | None, env: Mapping[str, str]) -> dict[str, Any]:
    if path is None and env.get(CONFIG_VARIABLE):
        path = Path(env[CONFIG_VARIABLE])
    if path is None:
        path = Path(DEFAULT_FILE)
        if not path.exists():
            return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"settings file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} is not valid TOML: {error}") from error


def _from_text(value: str, field: FieldInfo) -> Any:
    """A list may be given as JSON or separated by commas, a table as JSON; pydantic converts the
    rest."""
    kind = get_origin(field.annotation)
    if kind not in (tuple, Mapping):
        return value
    if kind is Mapping or value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        below = tree.setdefault(parent, {})
        if not isinstance(below, dict):
            return  # the file has a plain value where a section belongs; validation names it
        tree = below
    tree[last] = value


def _nearest(word: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return matches[0] if matches else None


def _problem(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(map(str, loc))
    if kind == "extra_forbidden":
        keys = [name for name, _ in iter_fields()]
        sections = {name.rsplit(".", 1)[0] for name in keys}
        near = _nearest(key, [*keys, *sorted(sections)])
        return f"{key}: no such setting" + (f"; did you mean {near}?" if near else "")
    override = (
        f" (environment: {env_name(key)})" if not any(isinstance(x, int) for x in loc) else ""
    )
    return f"{key}{override}: {message.removeprefix('Value error, ')}"
