"""What tests of the command line share."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command says for the whole process what is logged."""
    loggers = [logging.getLogger(name) for name in (None, "api", "models", "pbx", "voice_loop")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers = handlers
