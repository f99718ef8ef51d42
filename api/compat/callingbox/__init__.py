"""CallingBox's API."""
