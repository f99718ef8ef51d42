"""Ids of the second legs of transfers, whoever chose that of the first."""

import pytest

from api.resources.transfer import leg_id, whose_leg
from pbx.values import check_id

OURS = "offhook-9f1c2a52-7d0f-4be5-a6a4-5d0a3f0f4c11"


@pytest.mark.parametrize(
    "channel_id",
    [
        OURS,
        "1796081264.2",  # Asterisk's
        "pbx_1-1796081264.2",  # and with a `systemname`
        "9f1c2a52-7d0f-4be5-a6a4-5d0a3f0f4c11",  # FreeSWITCH's
        "berlin_2:1796081264.2",  # of one of several
        "_.:_d_",
    ],
)
def test_a_legs_id_is_one_of_ours_and_tells_whose_it_is(channel_id: str) -> None:
    legs = [leg_id(channel_id, seq) for seq in (1, 2)]
    for leg in legs:
        check_id(leg)
        assert whose_leg(leg) == channel_id
    assert len(set(legs)) == 2
    assert whose_leg(channel_id) == channel_id
