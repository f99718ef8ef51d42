"""Revox's API."""
