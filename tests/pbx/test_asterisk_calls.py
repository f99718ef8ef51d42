"""Outbound calls over Asterisk, where it differs; `test_contract_calls` has what all PBXs do."""

from dataclasses import replace

import pytest

from pbx.codecs import SLIN16
from pbx.switch import Switch, SwitchRefused
from pbx.testbed import TestBed
from tests.pbx.calls import config
from tests.pbx.test_contract_calls import HOSTILE, spoilt


async def test_a_codec_that_asterisk_would_not_hear_is_refused(bed: TestBed) -> None:
    with pytest.raises(ValueError, match="L16"):
        replace(config(bed), codec=SLIN16)


async def test_asterisk_says_nothing_of_hostile_values(bed: TestBed, switch: Switch) -> None:
    before = bed.ours.log()
    for field, value in HOSTILE:
        with pytest.raises(SwitchRefused):
            await switch.originate(spoilt(field, value))
    assert bed.ours.log() == before
