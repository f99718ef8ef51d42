"""The mixer of one call: what is sent beside the agent's voice, sample by sample."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_loop.ambience import Ambience, AmbienceConfig, Loop
from voice_loop.audio import Samples, frame_samples, level_dbfs

RATE = 8000
SIZE = frame_samples(RATE)


def frame(level: int) -> Samples:
    return np.full(SIZE, level, dtype=np.int16)


volumes = st.floats(0, 1)
speeches = st.lists(st.none() | st.integers(-32768, 32767).map(frame), min_size=1, max_size=30)


def tone(level: int, rate: int = RATE) -> Samples:
    """330 ms of 415 Hz: whole waves, so that it can be repeated, but none of them in a frame."""
    size = rate * 330 // 1000
    samples: Samples = np.rint(level * np.sin(2 * np.pi * 137 * np.arange(size) / size)).astype(
        np.int16
    )
    return samples


LOUD = Loop(tone(32767), RATE)
SOFT = Loop(tone(2000), RATE)


def mixer(config: AmbienceConfig, seed: int = 1) -> Ambience:
    return Ambience(config, RATE, random.Random(seed))


def sent(ambience: Ambience, speech: Samples | None, ticks: int, *, thinking: bool) -> Samples:
    """What `ticks` ticks sound like in a row; silence where nothing is sent."""
    frames = (ambience.mix(speech, thinking=thinking) for _ in range(ticks))
    return np.concatenate([frame(0) if one is None else one for one in frames])


def greatest_step(samples: Samples) -> int:
    return int(np.abs(np.diff(samples.astype(np.int32))).max())


@pytest.mark.rows("RV-20…23", "RV-86…88", "RV-247…249")
@given(speeches, volumes, volumes, st.floats(0.5, 2), st.randoms(use_true_random=False))
def test_whatever_is_mixed_never_clips_and_keeps_its_length(
    speeches: list[Samples | None],
    background: float,
    thinking: float,
    voice: float,
    rng: random.Random,
) -> None:
    config = AmbienceConfig(LOUD, background, LOUD, thinking, voice_volume=voice)
    ambience = Ambience(config, RATE, rng)
    for speech in speeches:
        ambience.begin_turn()
        mixed = ambience.mix(speech, thinking=rng.random() < 0.5)
        if mixed is None:
            continue
        assert mixed.dtype == np.int16
        assert mixed.shape == (SIZE,)
        if speech is not None and abs(int(speech[0])) * voice > 32767 * (background + thinking) + 1:
            # What overflows comes out with the other sign.
            assert (np.sign(mixed) == np.sign(speech)).all()


@pytest.mark.rows("RV-19", "RV-23", "RV-81", "RV-250")
@given(speeches, st.booleans())
def test_without_sounds_or_with_silent_ones_speech_is_left_as_it_is(
    speeches: list[Samples | None], thinking: bool
) -> None:
    for config in (AmbienceConfig(), AmbienceConfig(LOUD, 0.0, LOUD, 0.0)):
        ambience = mixer(config)
        ambience.begin_turn()
        assert all(ambience.mix(speech, thinking=thinking) is speech for speech in speeches)


def test_the_limiter_keeps_the_order_of_loudness_and_leaves_what_is_not_loud() -> None:
    ambience = mixer(AmbienceConfig(voice_volume=2.0))
    levels = [0, 5_000, 12_000, 14_000, 16_000, 20_000, 32_767]
    mixed = [ambience.mix(frame(level), thinking=False) for level in levels]
    heard = [int(one[0]) for one in mixed if one is not None]
    assert heard[:3] == [0, 10_000, 24_000]
    assert all(before < after for before, after in pairwise(heard))
    assert heard[-1] <= 32_767


@pytest.mark.rows("RV-247")
@pytest.mark.parametrize(("volume", "level"), [(0.5, 2_000), (1.0, 4_000), (2.0, 8_000)])
def test_the_voice_has_its_volume(volume: float, level: int) -> None:
    mixed = mixer(AmbienceConfig(voice_volume=volume)).mix(frame(4_000), thinking=False)
    assert mixed is not None
    assert mixed.tolist() == [level] * SIZE


@pytest.mark.rows("RV-17")
def test_the_background_plays_on_without_a_seam_with_speech_and_without() -> None:
    ambience = mixer(AmbienceConfig(SOFT))
    silent, under, after = (
        sent(ambience, speech, 100, thinking=False) for speech in (None, frame(0), None)
    )
    loudest_step = greatest_step(tone(2000))
    assert greatest_step(np.concatenate([silent, under, after])) <= loudest_step
    half = silent.size // 2
    levels = [level_dbfs(part[half:]) for part in (silent, under, after)]
    assert levels[0] == pytest.approx(levels[2], abs=0.1)
    assert levels[0] - levels[1] == pytest.approx(4.4, abs=0.1), "it is ducked a little"


@pytest.mark.rows("RV-20", "RV-23")
def test_the_backgrounds_volume_is_linear() -> None:
    full, half = (
        sent(mixer(AmbienceConfig(SOFT, volume)), None, 100, thinking=False)[4000:]
        for volume in (1.0, 0.5)
    )
    assert level_dbfs(full) == pytest.approx(level_dbfs(tone(2000)), abs=0.1)
    assert level_dbfs(full) - level_dbfs(half) == pytest.approx(6.02, abs=0.1)


@pytest.mark.rows("RV-73", "RV-86")
def test_the_thinking_sound_fades_in_and_out_and_then_nothing_is_sent() -> None:
    ambience = mixer(AmbienceConfig(thinking=SOFT, thinking_volume=0.5))
    ambience.begin_turn()
    assert ambience.mix(None, thinking=False) is None
    heard = sent(ambience, None, 25, thinking=True)
    fading = sent(ambience, None, 4, thinking=False)
    assert level_dbfs(heard[1600:]) == pytest.approx(level_dbfs(tone(1000)), abs=0.1)
    assert level_dbfs(fading[-80:]) < level_dbfs(fading[:80]) - 10
    assert greatest_step(np.concatenate([heard, fading, frame(0)])) <= greatest_step(tone(1000))
    assert ambience.mix(None, thinking=False) is None


@pytest.mark.rows("RV-82…85")
@pytest.mark.parametrize(("probability", "turns"), [(0.0, 0), (0.4, 400), (1.0, 1000)])
def test_each_turn_draws_once_whether_it_is_thought_aloud(probability: float, turns: int) -> None:
    ambience = mixer(AmbienceConfig(thinking=SOFT, thinking_probability=probability))
    aloud = 0
    for _ in range(1000):
        ambience.begin_turn()
        # A slow tool may have it think twice in one turn.
        heard = [
            ambience.mix(None, thinking=thinking) is not None
            for thinking in (True, True, *[False] * 6, True)
        ]
        sent(ambience, None, 4, thinking=False)
        assert heard[0] == heard[1] == heard[-1], "decided anew within a turn"
        aloud += heard[0]
    assert aloud == pytest.approx(turns, abs=50)


def test_a_loop_stays_seamless_at_another_rate() -> None:
    loop = Loop(tone(8000, rate=16_000), 16_000)
    assert loop.seconds == pytest.approx(0.33)
    at = loop.at(RATE)
    assert at is loop.at(RATE)
    assert at.size == SIZE * 33 // 2
    assert np.abs(at - tone(8000)).max() < 80
    assert loop.at(16_000).tolist() == tone(8000, rate=16_000).tolist()
