"""The laboratory: scripted callers made of recordings of people, and the figures of their calls."""
