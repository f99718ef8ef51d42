"""The process itself: its HTTP side, its store, and what it keeps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, IPvAnyNetwork, SecretStr

from api.settings.section import Host, Section

LogFormat = Literal["text", "json"]


def _postgres_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("write it as postgresql://user:password@host:5432/database")
    return url


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write it as https://calls.example.org, without a query")
    return url.rstrip("/")


class Server(Section):
    """The HTTP server."""

    host: str = Field(default="127.0.0.1", description="Address that the HTTP server listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    public_url: Annotated[str, AfterValidator(_base_url)] | None = Field(
        default=None,
        description="Where clients reach the server, as `https://calls.example.org`: what links "
        "begin with. Unset means `http://` with `server.host` and its port.",
    )
    console: bool = Field(
        default=True,
        description="Whether people are served the [console](console.md) at `/console`.",
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
    max_connections: int = Field(
        default=1000,
        ge=8,
        description="Most connections open at one time; fewer where the process may not open "
        "enough files (`RLIMIT_NOFILE`) for them beside its calls. At a limit, the oldest "
        "connection that has shown no live key makes room.",
    )
    max_connections_per_address: int = Field(
        default=200,
        ge=1,
        description="Most connections of one client address (of IPv6: one /64) at one time. Those "
        "of `trusted_proxies` are only counted in all.",
    )
    header_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds in which a request's headers have to arrive."
    )
    body_timeout_s: float = Field(
        default=30.0,
        gt=0,
        description="Seconds in which a request's body has to arrive; later is answered with 408.",
    )
    send_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds after which a client that takes nothing more of its answer is "
        "disconnected.",
    )
    keep_alive_timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds that a connection may wait for its next request."
    )
    min_free_mb: int = Field(
        default=500,
        ge=0,
        description="Free space, in megabytes, without which in the folders of `store.path` and "
        "`recordings.dir` `/healthz` and `offhook doctor` find fault.",
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Networks (CIDR) of reverse proxies of yours: only from them is "
        "`X-Forwarded-For` taken for the client's address, and `X-Forwarded-Proto` for its scheme. "
        "`Forwarded` is never read.",
    )
    max_streams: int = Field(
        default=256,
        ge=1,
        description="Most event streams and downloads (recordings, CSV) open at one time; more is "
        "answered with 429.",
    )
    max_streams_per_key: int = Field(
        default=64,
        ge=1,
        description="Most of them of one API key, and of one address that follows links.",
    )
    metrics: Literal["key", "loopback", "off"] = Field(
        default="key",
        description="Who may read `/metrics`: `key`, who shows an API key of any scope; "
        "`loopback`, also whoever asks from this machine (not with a reverse proxy on it, unless "
        "that is one of `trusted_proxies`); `off`, nobody.",
    )
    log_format: LogFormat = Field(
        default="text",
        description="What `offhook serve` writes its log as: text, or a JSON object a line.",
    )
    sse_heartbeat_s: float = Field(
        default=15.0, gt=0, description="Seconds between heartbeat comments on an event stream."
    )


class Traces(Section):
    """Traces of calls (OpenTelemetry), sent to a collector of yours; needs the extra `otel`."""

    url: Annotated[str, AfterValidator(_base_url)] | None = Field(
        default=None,
        description="Where they are sent: OTLP over HTTP, as `http://127.0.0.1:4318/v1/traces`. "
        "Unset: nothing is sent.",
    )
    headers: Mapping[str, SecretStr] = Field(
        default_factory=dict, description="Headers of the requests, such as `Authorization`."
    )
    service_name: str = Field(
        default="offhook", min_length=1, description="`service.name` of the traces."
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


class Recordings(Section):
    """Recordings of the conversations."""

    enabled: bool = Field(default=True, description="Whether calls are recorded.")
    dir: Path = Field(default=Path("offhook-data/recordings"), description="Folder of the files.")
    format: Literal["wav", "opus"] = Field(
        default="wav",
        description="What new ones are: `wav` (PCM of 16 bits), or `opus` (in Ogg): about a tenth "
        "of the size, for half a percent of a core per call.",
    )
    announce: Mapping[str, str] = Field(
        default_factory=dict,
        description="What the person is told before anything is recorded, by language (`en`, or "
        "`en-GB`): said first, to its end. Empty: nothing, unless an agent has a "
        "`recording_announcement`. A call in a language that is not there is not recorded.",
    )
    objections: bool = Field(
        default=True,
        description="Whether a person who says that they do not want to be recorded is heeded: "
        "the recording ends, and what there is of it is deleted.",
    )
    objection_key: str | None = Field(
        default=None,
        pattern="^[0-9*#A-D]$",
        description="A key that says the same, as `*`; choose one that nobody needs otherwise.",
    )


class BlackBoxSection(Section):
    """Black boxes of calls: what `offhook replay` holds once more (docs/black-box.md)."""

    enabled: bool = Field(
        default=False,
        description="Whether all that goes into calls' conversations is kept, in "
        "`recordings.dir`: audio while the call is recorded, words, decisions and their times.",
    )
    max_mb: int = Field(
        default=64,
        ge=1,
        le=200,
        description="Most megabytes of one call; what comes after is not kept. A minute takes two "
        "or three.",
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

    @property
    def black_boxes_days(self) -> float:
        """Days after its end for which a call's black boxes are kept: as long as everything that
        is in them."""
        parts = (self.calls_days, self.recordings_days, self.transcripts_days, self.events_days)
        return min((days for days in parts if days), default=0.0)


class Hep(Section):
    """Homer, which is told of calls beside the SIP that it captures (HEP3 over UDP)."""

    host: Host | None = Field(
        default=None,
        description="Name or address of Homer's collector; unset tells nothing to anybody.",
    )
    port: int = Field(default=9060, ge=1, le=65535, description="Its UDP port.")
    capture_id: int = Field(
        default=2001,
        ge=0,
        le=0xFFFFFFFF,
        description="Who we are to Homer: the capture agent's id.",
    )
    password: SecretStr | None = Field(
        default=None,
        description="Homer's authentication key, where it wants one; UDP carries it as it is.",
    )
