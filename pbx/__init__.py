"""Up to an answered line: the operator's PBX, RTP, and what hangup causes mean."""

import voice_loop  # noqa: F401 - before numpy
