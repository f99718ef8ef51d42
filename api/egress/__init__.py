"""What may leave the premises, by which client, and how secrets are sealed."""
