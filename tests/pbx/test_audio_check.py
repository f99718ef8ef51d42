"""What is made of a test call's audio."""

import numpy as np
import pytest

from pbx.audio_check import Ends, Heard, TonePeer, judge
from pbx.codecs import PCMA, PCMU, Codec
from voice_loop.audio import Samples, frame_samples, silence

ENDS = Ends("Asterisk", ("192.0.2.1", 12000), ("192.0.2.7", 10000), "192.0.2.1", "192.0.2.7", "x")


def connect(one: TonePeer, other: TonePeer, line: Codec, back: Codec, frames: int = 20) -> None:
    """Have one hear the other, whose audio is written by one codec and read by another."""
    heard: Samples = silence(8000)
    for _ in range(frames):
        said = other.exchange(heard, 0.0, 0.0)
        assert said is not None
        heard = back.decode(line.encode(said))
        reply = one.exchange(heard, 0.0, 0.0)
        assert reply is not None
        heard = reply


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_tone_is_told_from_another_and_from_noise(rate: int) -> None:
    far = TonePeer(rate, 1100, 700)
    for awaited, right in ((1100, True), (700, False)):
        peer = TonePeer(rate, 700, awaited)
        for _ in range(20):
            said = far.exchange(silence(rate), 0.0, 0.0)
            assert said is not None
            peer.exchange(said, 0.0, 0.0)
        assert (peer.heard_sound, peer.heard_tone) == (True, right)
    noise = np.random.default_rng(1).normal(0, 5000, (50, frame_samples(rate))).astype(np.int16)
    peer = TonePeer(rate, 700, 700)
    for frame in noise:
        peer.exchange(frame, 0.0, 0.0)
    assert (peer.heard_sound, peer.heard_tone) == (True, False)


def test_silence_is_no_sound() -> None:
    peer = TonePeer(8000, 700, 700)
    for _ in range(20):
        peer.exchange(silence(8000), 0.0, 0.0)
    assert not peer.heard_sound


def test_a_wrong_codec_gives_a_sound_that_is_not_the_tone() -> None:
    for back, right in ((PCMU, True), (PCMA, False)):
        one, other = TonePeer(8000, 700, 1100), TonePeer(8000, 1100, 700)
        connect(one, other, PCMU, back)
        assert one.heard_sound
        assert one.heard_tone is right


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        (Heard(packets=False), "rtp.advertise and rtp.bind, or a firewall between the two"),
        (Heard(packets=True), "one way only: Asterisk is heard at 192.0.2.1:12000, but does not"),
        (Heard(packets=True, sound=True), "Mend pbx.codec"),
        (
            Heard(packets=False, strangers=(("192.0.2.9", 4000), ("192.0.2.9", 4002))),
            "audio is at 192.0.2.7:10000, but sends it from 192.0.2.9: a NAT or a second interface",
        ),
    ],
)
def test_what_is_missing_is_told_with_its_likely_cause(heard: Heard, told: str) -> None:
    finding = judge(heard, ENDS)
    assert not finding.ok
    assert told in finding.message
    assert "NAT: it is reached" not in finding.message


def test_a_pbx_that_names_another_address_is_told() -> None:
    ends = Ends("Asterisk", ("192.0.2.1", 1), ("10.0.0.5", 2), "192.0.2.1", "203.0.113.5")
    for packets in (False, True):
        message = judge(Heard(packets=packets), ends).message
        assert "NAT: it is reached at 203.0.113.5, but names 10.0.0.5" in message


def test_an_address_that_the_pbx_cannot_reach_is_told() -> None:
    ends = Ends("Asterisk", ("172.17.0.2", 1), ("8.8.8.8", 2), "172.17.0.2", "8.8.8.8")
    assert "172.17.0.2 is a private address" in judge(Heard(packets=False), ends).message
    ends = Ends("Asterisk", ("2001:db8::2", 1), ("2001:db8::7", 2), "2001:db8::1", "2001:db8::7")
    message = judge(Heard(packets=False), ends).message
    assert "sends audio to [2001:db8::2]:1" in message
    assert "we reach Asterisk from 2001:db8::1" in message
