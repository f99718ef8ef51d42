"""Black boxes held once more by today's code, and what would be different."""
