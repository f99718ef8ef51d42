"""The front door and the ledger: HTTP, storage, webhooks, the command line."""

import voice_loop  # noqa: F401 - before numpy
