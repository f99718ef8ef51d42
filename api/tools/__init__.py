"""What carries out an agent's tools (`api.agents.tools`): each a `voice_loop.tools.Tool`, bound to
one call."""
