"""OneInbox's API."""
