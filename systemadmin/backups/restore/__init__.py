"""Restores: of the live database, in place, and without a database."""
