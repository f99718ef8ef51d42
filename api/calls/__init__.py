"""One attempt from claim to result: conversation, recording, transfer."""
