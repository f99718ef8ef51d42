"""The engines behind the voice loop's ports, and the catalogue of their weights.

Importing it forbids the engines' libraries the network: no weights, no updates, no reports to
their makers.
"""

import os
from typing import Final

import voice_loop  # noqa: F401 - before numpy

#: What those libraries read when they are imported, which nothing outside this package does. It
#: stands whatever the environment said before: that nothing leaves the premises is promised.
#: `models.pull` uses none of them.
OFFLINE: Final = {
    # Else onnxruntime reports each session to Microsoft, under an identifier of the machine that
    # it keeps with its events in the user's cache.
    "ORT_DISABLE_TELEMETRY": "1",
    # faster-whisper's.
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Where libraries agree on a name for it.
    "DO_NOT_TRACK": "1",
}
os.environ.update(OFFLINE)
