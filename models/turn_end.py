"""Whether a pause ends the person's turn, told from how it sounds.

A network looks at the latest seconds, the pause so far included, and gives a probability; how long
to wait is for others to say. Two forms of model can be read: Offhook's own, small enough to be
asked several times in every pause, and Smart Turn v3's, which takes many times as long.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from faster_whisper.feature_extractor import FeatureExtractor

from models import turn_features
from models.turn_features import Floats
from models.workers import Workers
from voice_loop.audio import Samples, resample
from voice_loop.ports import EngineError

#: The model that comes with Offhook.
SHIPPED: Final = Path(__file__).with_name("turn") / "turn.onnx"
#: Smart Turn v3 takes what Whisper takes, of so many seconds.
_SMART_TURN_S: Final = 8
_WHISPER_MEL: Final = FeatureExtractor(feature_size=80, chunk_length=_SMART_TURN_S)


def _own_form(speech: Samples) -> Floats:
    return turn_features.turn_features(speech)


def _smart_turn_form(speech: Samples) -> Floats:
    size = _SMART_TURN_S * _WHISPER_MEL.sampling_rate
    wide = np.zeros(size, np.float32)
    latest = speech[-size:]
    wide[size - latest.size :] = latest
    wide = (wide - wide.mean()) / np.sqrt(wide.var() + 1e-7)
    mel = _WHISPER_MEL(wide, padding=0)[:, : size // _WHISPER_MEL.hop_length]
    return np.asarray(mel, np.float32)


#: By the name of a model's input: the rate (Hz) and the seconds of what it looks at, and how.
_FORMS: Final[Mapping[str, tuple[int, int, Callable[[Samples], Floats]]]] = {
    "features": (turn_features.RATE, turn_features.SECONDS, _own_form),
    "input_features": (_WHISPER_MEL.sampling_rate, _SMART_TURN_S, _smart_turn_form),
}


class TurnEnd:
    """A `voice_loop.ports.TurnEndModel`, shared by all calls.

    Args:
        path: an ONNX model, from `features` as `turn_features` has them or from the
            `input_features` of Smart Turn v3, to one probability.
        waiting: pauses that may wait to be judged; one more raises EngineError.
        timeout_s: seconds that one may take, its wait included.
    """

    def __init__(self, path: Path = SHIPPED, *, waiting: int = 64, timeout_s: float = 1.0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
            self._input = self._session.get_inputs()[0].name
            self._rate, self._seconds, self._features = _FORMS[self._input]
            self.judge(np.zeros(self._rate, np.int16), self._rate)
        except Exception as error:  # onnxruntime's exceptions share no other base
            raise EngineError(f"cannot load the model of turn ends {path}: {error}") from error
        self._workers = Workers("end of turn", 1, waiting, timeout_s)

    async def end_probability(self, speech: Samples, rate: int) -> float:
        """See the port."""
        return await self._workers.run(partial(self.judge, speech, rate))

    def judge(self, speech: Samples, rate: int) -> float:
        """The same in the caller's thread."""
        # A second more, for the filter to settle.
        latest = resample(speech[-(self._seconds + 1) * rate :], rate, self._rate)
        try:
            features = self._features(latest)[None]
            return float(self._session.run(None, {self._input: features})[0].reshape(-1)[0])
        except Exception as error:  # as above
            raise EngineError(f"the model of turn ends failed: {error}") from error

    def close(self) -> None:
        """Stop the thread."""
        self._workers.close()
