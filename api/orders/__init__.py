"""From a request to a stored order: checked, frozen, placed."""
