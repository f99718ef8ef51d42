"""Measurements: `python -m bench.<name>`. They print what they saw on this machine, no verdict."""

import voice_loop  # noqa: F401 - before numpy
