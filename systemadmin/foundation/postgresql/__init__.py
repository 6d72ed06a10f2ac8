"""A database backend: Django's for PostgreSQL, with a circuit breaker before its pool."""
