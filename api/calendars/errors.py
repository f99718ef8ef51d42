"""What can go wrong with a calendar."""


class CalendarError(Exception):
    """The calendar cannot be read or written; the message says why, without what is secret."""


class SlotTakenError(Exception):
    """The slot is not free, or no longer."""
