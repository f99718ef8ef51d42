"""The speeches of a call that are known before it, and rendered before they are needed."""

from dataclasses import dataclass

from voice_loop.playout import Speech, SpeechFactory


@dataclass(frozen=True)
class Prepared:
    """The prepared speeches of one call."""

    announcement: Speech
    opening: Speech
    apology: Speech
    time_up: Speech
    voicemail: Speech


def prepared_speeches(speeches: SpeechFactory) -> Prepared:
    """Make the prepared speeches, empty."""
    opening = speeches.new()
    opening.opens = True
    announcement = speeches.new(in_history=False)
    announcement.announces = True
    return Prepared(
        announcement,
        opening,
        apology=speeches.last_words(),
        time_up=speeches.last_words(),
        voicemail=speeches.last_words(kept_whole=True),
    )
