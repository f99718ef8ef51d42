"""What a black box keeps of a conversation."""

from api.blackbox.entries import Teller
from voice_loop.playout import Speech


def test_a_speech_keeps_its_number_whatever_became_of_those_before_it() -> None:
    teller = Teller()
    first, third = Speech(8000, 8000), Speech(8000, 8000)
    assert [teller.plain(one) for one in (first, Speech(8000, 8000), third)] == [1, 2, 3]
    assert [teller.plain(one) for one in (first, third)] == [1, 3]
