"""What carries out an agent's tools (`api.resources.tool_fields`): each a `voice_loop.tools.Tool`,
bound to one call."""
