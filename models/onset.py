"""Who wants the floor, by the first sounds: a small net of our own on log-mel frames.

It hears speech that began while the agent speaks, from just before its onset until now, and gives
the probability that the speaker takes the floor ("stop", "wait", a sentence) rather than listens
("mm-hmm", "right") or coughs. `models/training/onset.py` makes it; `models/onset/README.md` tells
of what, and how well it does.
"""

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from voice_loop.audio import FULL_SCALE, Samples, resample
from voice_loop.ports import EngineError

NET: Final = Path(__file__).with_name("onset") / "onset.onnx"

#: What the net hears, Hz; its frames, in samples; and how many of them at most, 0.8 s.
RATE: Final = 8000
WINDOW: Final = 200
HOP: Final = 80
FRAMES: Final = 78
SAMPLES: Final = WINDOW + (FRAMES - 1) * HOP
BANDS: Final = 32

_FFT: Final = 256
_LOWEST_HZ: Final = 120.0
_HIGHEST_HZ: Final = 3800.0
#: What lies so far below the loudest band heard so far counts as silence, dB.
_RANGE_DB: Final = 50.0

Floats = NDArray[np.float32]


@cache
def _hann() -> Floats:
    return np.hanning(WINDOW).astype(np.float32)


@cache
def _bands() -> Floats:
    """Triangles of equal width in mel, `_FFT` / 2 + 1 rows."""
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    corners = 700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1)
    bins = np.arange(_FFT // 2 + 1)[:, None] * (RATE / _FFT)
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def mel_frames(speech: Samples) -> Floats:
    """The log-mel frames that lie wholly within speech of `RATE` Hz, dB: (frames, bands)."""
    count = max(0, min(FRAMES, (speech.size - WINDOW) // HOP + 1))
    if count == 0:
        return np.zeros((0, BANDS), np.float32)
    scaled = speech[: WINDOW + (count - 1) * HOP].astype(np.float32) / np.float32(FULL_SCALE)
    windows = np.lib.stride_tricks.sliding_window_view(scaled, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(windows * _hann(), _FFT)) ** 2
    decibels: Floats = (10 * np.log10(power @ _bands() + 1e-9)).astype(np.float32)
    return decibels


def net_input(frames: Floats) -> Floats:
    """What the net is given of these frames: (bands and one row that tells what is known, FRAMES).

    Relative to the loudest band so far, so that the level on the line does not matter.
    """
    given = np.zeros((BANDS + 1, FRAMES), np.float32)
    if len(frames):
        loud = np.maximum(0, 1 + (frames - frames.max()) / np.float32(_RANGE_DB))
        given[:BANDS, : len(frames)] = loud.T
        given[BANDS, : len(frames)] = 1
    return given


class OnsetNet:
    """Tells takers of the floor by their first sounds (`voice_loop.ports.OnsetModel`).

    Args:
        path: the net.

    Raises EngineError where it cannot be loaded.
    """

    def __init__(self, path: Path = NET) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors only
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        # onnxruntime's exceptions share no base but Exception.
        except Exception as error:
            raise EngineError(f"cannot load the net of onsets {path}: {error}") from error

    def takes_floor(self, speech: Samples, rate: int) -> float:
        """The probability that the speaker wants the floor."""
        heard = resample(speech, rate, RATE)
        given = net_input(mel_frames(heard))[None]
        return float(self._session.run(None, {"frames": given})[0][0])
