"""What the HTTP side is given by the composition root."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from api.calls.recording_folder import RecordingFolder
from api.calls.recording_links import RecordingLinks
from api.deployment import Deployment
from api.dialing.web import WebCalls
from api.telemetry.meter import Meter
from api.telemetry.standing import Standing


@dataclass(frozen=True)
class Check:
    """The state of one part of the server."""

    ok: bool
    message: str
    """What was seen; where it is wrong, also how to mend it."""


@dataclass(frozen=True)
class Services(Deployment):
    """Everything that the routes use."""

    health: Callable[[], Awaitable[Mapping[str, Check]]]
    """The state of the PBX link, the models, …; `api.http.vitals` looks at store and disk."""
    url: str = "http://127.0.0.1:8080"
    """Where clients reach the server."""
    node: str = "offhook"
    """Whose recordings are in the recordings folder."""
    web: WebCalls | None = None
    """Places calls from browsers; None where there are none."""
    meter: Meter = field(default_factory=Meter)
    """What `/metrics` tells."""
    standing: Callable[[], Standing] = Standing
    """How the parts stand that only the running server knows of."""

    @property
    def recordings(self) -> RecordingFolder:
        return RecordingFolder(self.settings.recordings.dir, self.node)

    @property
    def links(self) -> RecordingLinks:
        """Makes links to recordings."""
        return RecordingLinks(self.seal, self.url)
