"""An attempt over FreeSWITCH, from events that the real one sends, in microseconds."""

from collections.abc import Sequence

from pbx.freeswitch.attempt import AttemptCore, HangUp, Output, Park
from pbx.switch import Answered, Ended

_UNIX = 1_700_000_000.0


class Life:
    """An attempt under a clock of its own."""

    def __init__(self, *, inbound: bool = False, ring_timeout_s: float = 30) -> None:
        self.now = 100.0
        self.core = AttemptCore(
            "offhook-1", self.now, _UNIX - self.now, inbound=inbound, ring_timeout_s=ring_timeout_s
        )

    def on(self, name: str, **headers: str) -> Sequence[Output]:
        """What comes of an event; `_` in a header's name stands for `-`."""
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        self.core.on_event({"Event-Name": name, **given}, self.now)
        return self.core.take()

    def park(self, state: str) -> Sequence[Output]:
        return self.on("CHANNEL_PARK", Answer_State=state)

    def hang_up(self) -> Sequence[Output]:
        self.core.hang_up(self.now)
        return self.core.take()

    def wait(self, seconds: float) -> Sequence[Output]:
        """Let that time pass, deadlines included."""
        until = self.now + seconds
        outputs: list[Output] = []
        while self.core.deadline is not None and self.core.deadline <= until:
            self.now = self.core.deadline
            self.core.on_deadline(self.now)
            outputs += self.core.take()
        self.now = until
        return outputs


def test_an_inbound_call_is_not_killed_in_the_midst_of_its_answer() -> None:
    life = Life(inbound=True)
    assert life.park("ringing") == [Park(answer=True)]
    assert life.hang_up() == []
    answered, hang_up = life.on("CHANNEL_ANSWER")
    assert isinstance(answered, Answered)
    assert hang_up == HangUp("NORMAL_CLEARING")
    assert life.park("answered") == []
    *_, ended = life.on("CHANNEL_HANGUP_COMPLETE", Hangup_Cause="NORMAL_CLEARING")
    assert isinstance(ended, Ended)
    assert ended.cause.state == "completed"


def test_an_answer_that_does_not_come_is_killed_after_all() -> None:
    life = Life(inbound=True)
    life.park("ringing")
    life.hang_up()
    assert life.wait(5) == [HangUp("NORMAL_CLEARING")]
