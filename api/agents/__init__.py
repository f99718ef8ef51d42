"""Agents: what one call's agent is and does, where it comes from, and what it may refer to."""
