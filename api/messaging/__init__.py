"""Text messages and mails: the ways out, what is written after a call, and the message sender."""
