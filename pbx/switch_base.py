"""What is the same in driving any PBX: dial once, offer calls, compare, hang up, end."""

import logging
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from pbx.attempt import Driver, LiveAttempt
from pbx.attempt_core import CoreT
from pbx.audio_port import MediaError
from pbx.audio_watch import ASK_S, UNHEARD_S, TrunkAudio
from pbx.codecs import Encoding
from pbx.config import PbxConfig
from pbx.dial_string import Way
from pbx.incoming import IncomingCall, OnIncoming, Refusal
from pbx.link import Link
from pbx.live_attempts import LiveAttempts
from pbx.media import MediaServer
from pbx.switch import (
    Attempt,
    Dial,
    Ended,
    LikelyCause,
    SwitchNotReachedError,
    SwitchRefused,
    SwitchUnavailable,
)
from pbx.values import check_dial, check_dialled, check_way

_log = logging.getLogger(__name__)

#: Seconds that a good trunk is trusted to be good.
_TRUNK_TRUST_S: Final = 5.0


class Trunk(Protocol):
    """A trunk as the PBX sees it now."""

    @property
    def problem(self) -> str | None:
        """Why it cannot carry a call, and how to mend that; None when nothing is known."""
        ...


TrunkT = TypeVar("TrunkT", bound=Trunk)


@dataclass(frozen=True)
class Unheard:
    """Why a far end is not heard."""

    cause: LikelyCause
    message: str
    """What was seen, and how to mend it."""
    hopeless: bool = False
    """Whether there will never be audio on this call."""


_STOPPED: Final = Unheard(
    "network",
    "the far end sends neither audio nor reports (RTCP): its line or network is gone, or a NAT or "
    "a firewall on the way has forgotten the call",
)


class SwitchBase(Driver[CoreT], ABC, Generic[CoreT, TrunkT]):
    """Implements `pbx.switch.Switch`, but for what each PBX does in its own way.

    Args:
        config: see there.
        media: started; every attempt opens a leg of it.
        on_incoming: asked about each inbound call before it is answered, in a task of its own;
            None takes none.
    """

    ask_s = ASK_S
    _config: PbxConfig
    _link: Link[Any, Any]

    def __init__(
        self, config: PbxConfig, media: MediaServer, on_incoming: OnIncoming | None
    ) -> None:
        self._config = config
        self._media = media
        self._on_incoming = on_incoming
        self._attempts: LiveAttempts[CoreT] = LiveAttempts(config.link_grace_s)
        self._good_trunks: dict[Way, tuple[float, TrunkT]] = {}

    @property
    def connected(self) -> bool:
        """Whether there is a working link to the PBX now."""
        return self._link.connected

    @property
    def calls(self) -> int:
        """Attempts under way."""
        return sum(1 for _ in self._attempts)

    @property
    def audio_host(self) -> str | None:
        return self._config.audio_host

    async def start(self) -> None:
        """Connect and log in; raises SwitchUnavailable. Reconnects by itself afterwards."""
        await self._link.open()
        self._attempts.patrol(self._config.reconcile_interval_s, self._reconcile_if_connected)

    async def close(self) -> None:
        """Hang up every attempt that we own and disconnect."""
        await self._attempts.hang_up_all(confirmed=self._link.connected)
        await self._attempts.close()
        await self._link.close()

    async def originate(self, dial: Dial) -> Attempt:
        """Dial. Returns once the PBX has the request; raises SwitchError, never retries."""
        way = self._config.way(dial.trunk, dial.dial_string)
        check_dial(dial)
        check_way(way, self._config.kind)
        check_dialled(way, dial.number)
        if dial.id in self._attempts:
            raise SwitchRefused(f"{dial.id} is being dialled already", "id")
        try:
            its = await self._trunk(way)
            problem = self._problem(its, dial)
            if problem is not None:
                raise SwitchRefused(problem, "trunk")
            await self._require_free(dial.id)
        except SwitchUnavailable as error:
            raise SwitchNotReachedError(str(error)) from error  # only looked at, so far
        attempt = self._begin(self._core_of(dial), self._encoding_for(its), way.trunk)
        try:
            await self._place(attempt, dial, way)
        except (SwitchRefused, SwitchNotReachedError):
            self._forget(attempt)
            raise
        except BaseException:
            # Its fate is unknown: never sent again, and hung up wherever it shows itself.
            self._attempts.condemn(dial.id)
            self._forget(attempt)
            self._attempts.spawn(self._kill(dial.id))
            raise
        return attempt

    def attempt_ended(self, attempt: LiveAttempt[CoreT], ended: Ended) -> None:
        self._attempts.ended(attempt, ended)

    def ask_trunk(self, attempt: LiveAttempt[CoreT]) -> None:
        self._attempts.spawn(self._tell_trunk_received(attempt))

    async def _tell_trunk_received(self, attempt: LiveAttempt[CoreT]) -> None:
        attempt.trunk_received(await self._trunk_audio(attempt))

    @abstractmethod
    async def _trunk_audio(self, attempt: LiveAttempt[CoreT]) -> TrunkAudio | None:
        """What the PBX has had from the trunk; None where it cannot tell."""

    def renew_audio(self, attempt: LiveAttempt[CoreT]) -> None:
        """Where nothing can be stuck, nothing is done."""

    def unheard(self, attempt: LiveAttempt[CoreT], *, arriving: bool, before: bool) -> None:
        self._attempts.spawn(self._tell_unheard(attempt, arriving, before))

    async def _tell_unheard(
        self, attempt: LiveAttempt[CoreT], arriving: bool, before: bool
    ) -> None:
        if before and not arriving:
            why = _STOPPED
        else:
            why = await self._why_unheard(attempt)
        cause = why.message
        if (strays := attempt.leg.stats().strays) > 0:
            cause += f"; {strays} packets came from addresses of no call (rtp.latch)"
        since = "after there was some" if before else "after the answer"
        _log.warning("%s: no audio for %g s %s: %s", attempt.id, UNHEARD_S, since, cause)
        now = time.monotonic()
        attempt.core.tell_problem("no_audio_in", why.cause, f"no audio {since}: {cause}", now)
        if why.hopeless:
            attempt.core.fail(f"There was no audio: {why.message}.", now)
        attempt.pump()

    def unsent(self, attempt: LiveAttempt[CoreT]) -> None:
        self._attempts.spawn(self._tell_unsent(attempt))

    async def _tell_unsent(self, attempt: LiveAttempt[CoreT]) -> None:
        why = await self._why_unsent(attempt)
        if attempt.core.tell_problem("no_audio_out", why.cause, why.message, time.monotonic()):
            _log.warning("%s: the far end does not hear us: %s", attempt.id, why.message)
        attempt.pump()

    async def _why_unsent(self, attempt: LiveAttempt[CoreT]) -> Unheard:  # noqa: ARG002
        """Why that far end does not hear us."""
        return Unheard("firewall", "the far end reports (RTCP) that nothing of ours arrives")

    @abstractmethod
    async def _why_unheard(self, attempt: LiveAttempt[CoreT]) -> Unheard:
        """Why that far end is not heard."""

    @abstractmethod
    def _encoding_for(self, trunk: TrunkT) -> Encoding:
        """What is to be spoken between the PBX and us on a call through that trunk."""

    @abstractmethod
    def _core_of(self, dial: Dial) -> CoreT:
        """The life of an attempt that is about to be dialled."""

    @abstractmethod
    async def _place(self, attempt: LiveAttempt[CoreT], dial: Dial, way: Way) -> None:
        """Send the one request to dial, and wait until the PBX has taken it up.

        Raises SwitchRefused where there is no channel; anything else where there may be one.
        """

    @abstractmethod
    async def _kill(self, channel_id: str) -> None:
        """Hang that up if it is there; the attempts' deadlines mind the rest."""

    @abstractmethod
    async def _look_at_trunk(self, way: Way) -> TrunkT:
        """Ask the PBX. Raises SwitchRefused for a trunk that it does not know, SwitchError."""

    @abstractmethod
    async def _reconcile(self) -> None:
        """Compare our attempts with the PBX's channels: adopt the living, end the dead."""

    def _problem(self, trunk: TrunkT, dial: Dial) -> str | None:  # noqa: ARG002
        """Why that trunk cannot carry that call, and how to mend it."""
        return trunk.problem

    async def _require_free(self, channel_id: str) -> None:
        """Raises SwitchRefused for an id that the PBX has a channel of already."""

    def _begin(
        self, core: CoreT, encoding: Encoding, trunk: str | None = None
    ) -> LiveAttempt[CoreT]:
        """An attempt with audio of its own. Raises SwitchRefused when there is no room."""
        try:
            leg = self._media.open_leg(encoding)
        except MediaError as error:
            raise SwitchRefused(str(error), "rtp") from error
        attempt = LiveAttempt(core, leg, self, trunk)
        self._attempts.add(attempt)
        return attempt

    def _forget(self, attempt: LiveAttempt[CoreT]) -> None:
        """It never began."""
        self._attempts.drop(attempt)

    async def _refusal(self, attempt: LiveAttempt[CoreT], call: IncomingCall) -> Refusal | None:
        """Why an inbound call is not answered, and then it is forgotten; None to answer it."""
        assert self._on_incoming is not None
        try:
            refusal = await self._on_incoming(call)
        except Exception:
            _log.exception("nobody could take the call %s", attempt.id)
            refusal = Refusal.NORMAL_CIRCUIT_CONGESTION
        if refusal is not None:
            self._forget(attempt)
        return refusal

    async def _trunk(self, way: Way) -> TrunkT:
        """How a trunk is. Raises as `_look_at_trunk`."""
        now = time.monotonic()
        until, trunk = self._good_trunks.get(way, (0.0, None))
        if trunk is None or until <= now:
            trunk = await self._look_at_trunk(way)
            if trunk.problem is None:
                self._good_trunks[way] = (now + _TRUNK_TRUST_S, trunk)
        return trunk

    def _on_link_down(self) -> None:
        self._good_trunks.clear()
        self._attempts.link_down()

    async def _reconcile_if_connected(self) -> None:
        if self._link.connected:
            await self._reconcile()


def clocks() -> tuple[float, float]:
    """Seconds of the steady clock now, and what to add to them for Unix time."""
    now = time.monotonic()
    return now, time.time() - now
