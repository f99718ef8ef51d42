"""The engines behind the voice loop's ports, and the catalogue of their weights."""
