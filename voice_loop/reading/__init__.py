"""The reader between language model and voice: numbers, dates, addresses and signs as words.

It is applied to what is spoken, not to what is stored: each clause keeps its written form, and
tells how much of the speech each of its words takes. English and Spanish are ours, the numbers of
other languages num2words'.
"""

from voice_loop.reading.reader import Reader, Reading

__all__ = ["Reader", "Reading"]
