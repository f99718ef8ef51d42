"""Calendars that agents look at and book in: CalDAV (RFC 4791) and iCalendar feeds (RFC 5545)."""
