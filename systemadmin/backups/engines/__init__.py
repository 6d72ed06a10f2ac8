"""The database engines: dump, load into a scratch database, swap it in."""
