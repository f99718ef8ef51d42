"""The front door and the ledger: HTTP, storage, webhooks, the command line."""
