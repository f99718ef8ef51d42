"""What the API speaks of, one noun per file: its record, its request bodies, its JSON object."""
