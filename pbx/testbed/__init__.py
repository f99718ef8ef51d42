"""The test bed, for tests and for `offhook demo`: our Asterisk and a carrier full of personas."""

from pbx.testbed.bed import SOUNDS, Ports, TestBed
from pbx.testbed.instance import Asterisk, Channel
from pbx.testbed.personas import (
    CAUSE_NUMBER,
    PERSONAS,
    SENTENCES,
    Persona,
    persona,
    telephone_number,
)
from pbx.testbed.provide import TestBedError, cache_directory

__all__ = [
    "CAUSE_NUMBER",
    "PERSONAS",
    "SENTENCES",
    "SOUNDS",
    "Asterisk",
    "Channel",
    "Persona",
    "Ports",
    "TestBed",
    "TestBedError",
    "cache_directory",
    "persona",
    "telephone_number",
]
