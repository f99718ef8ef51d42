"""Black boxes: what went into a call's conversation, and what was decided upon it."""
