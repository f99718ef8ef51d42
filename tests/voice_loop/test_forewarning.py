"""A detector that judges many calls at once hears of each frame before it is asked."""

from pathlib import Path

import numpy as np

from api.calls.recording import RecordedPeer
from pbx.audio_router import AudioRouter, Quiet
from tests.voice_loop.scripted import RATE, Detector, PhoneCall
from voice_loop.audio import Samples, frame_samples
from voice_loop.ports import AudioPeer


class Batched(Detector):
    """Notes what it was forewarned of, and what it was asked about then."""

    convinced = True

    def __init__(self, _rate: int) -> None:
        self.expected: list[int] = []
        self.asked: list[int] = []

    def expect(self, frame: Samples) -> None:
        self.expected.append(int(frame[0]))

    def is_speech(self, frame: Samples) -> bool:
        self.asked.append(int(frame[0]))
        return super().is_speech(frame)


def tick(peer: AudioPeer, level: int) -> None:
    """As the media server does it."""
    frame = np.full(frame_samples(RATE), level, np.int16)
    peer.expect(frame)  # type: ignore[attr-defined]
    peer.exchange(frame, 0.0, 0.0)


async def test_it_is_told_through_whatever_stands_between(tmp_path: Path) -> None:
    detector = Batched(RATE)
    call = PhoneCall(new_detector=lambda _rate: detector)
    await call.answer()
    router = AudioRouter(call.conversation)
    peer = RecordedPeer(router, tmp_path / "call.wav", RATE)
    for level in (1, 2, 3):
        tick(peer, level)
    assert detector.expected == detector.asked == [1, 2, 3]
    # While somebody stands in, or holds, the agent hears nothing, and is told of nothing.
    router.attach(Quiet())
    tick(peer, 4)
    router.attach(None)
    call.conversation.hold(True)
    tick(peer, 5)
    call.conversation.hold(False)
    tick(peer, 6)
    assert detector.expected == [1, 2, 3, 6]
    assert detector.asked == [1, 2, 3, 0, 0, 6]
    call.cancel()


async def test_what_is_expected_but_not_traded_is_not_heard_later() -> None:
    """Somebody stands in between the two."""
    detector = Batched(RATE)
    call = PhoneCall(new_detector=lambda _rate: detector)
    await call.answer()
    old, new = (np.full(frame_samples(RATE), level, np.int16) for level in (7, 8))
    call.conversation.expect(old)
    call.conversation.pass_time(old, 0.0)
    call.conversation.exchange(new, 0.0, 0.0)
    assert detector.asked == [0, 8]
    call.cancel()
