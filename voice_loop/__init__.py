"""The conversation on an answered line: audio frames in, audio frames out.

Knows no PBX, no HTTP, no disk and no engine; `ports` names what it needs of them.
"""

import os

# The networks that hear calls are so small that a second thread of numpy's only burns a core, half
# of all CPU at 20 calls. It is read when numpy is imported, so what uses numpy imports this first.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
