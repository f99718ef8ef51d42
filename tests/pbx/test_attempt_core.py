"""The table of phases: what it has leads on, what it does not have is passed over."""

import logging
from typing import get_args

import pytest

from pbx.attempt_core import PHASES, Phase
from pbx.freeswitch.attempt import FreeSwitchCore
from pbx.switch import Dialing, Ended, Transferred


def test_every_phase_leads_to_the_end() -> None:
    assert set(PHASES) == set(get_args(Phase))
    for phase, steps in PHASES.items():
        assert (steps.get(Ended) == "over") is (phase != "over")
        assert set(steps.values()) <= set(PHASES)


def test_every_phase_but_the_two_first_is_reached() -> None:
    reached: set[Phase] = {"starting", "offered"}
    for _ in PHASES:
        reached |= {after for phase in reached for after in PHASES[phase].values()}
    assert reached == set(PHASES)


def test_what_the_table_does_not_have_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "pbx")
    core = FreeSwitchCore("offhook-1", 0.0, 0.0)
    core.joined(1.0)
    core.referring(True)
    assert core.take() == []
    assert "offhook-1: no refer while starting" in caplog.text
    core.on_event({"Event-Name": "CHANNEL_CREATE"}, 2.0)
    assert core.take() == [Dialing(2.0)]
    assert "offhook-1: Dialing, starting to dialing" in caplog.text
    assert Transferred not in PHASES["dialing"]
