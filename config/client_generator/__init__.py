"""Writes the generated half of `config/client/` from the OpenAPI schema.

`schema` reads it, `types` says what each part is in Python, `models` and `operations`
write the classes. The other half, `config/client/*.py`, is written by hand.
"""

from config.client_generator.package import generate

__all__ = ["generate"]
