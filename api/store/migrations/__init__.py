"""Numbered schema migrations (Alembic)."""
