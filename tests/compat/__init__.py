"""Clients written from nothing but the hosted services' own texts."""
