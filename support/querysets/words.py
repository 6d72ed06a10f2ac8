"""Stored words in SQL: an indexed condition on PostgreSQL, plain matching elsewhere."""

from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.models import BooleanField, F, Func, Q, TextField, Value
from django.db.models.lookups import Contains


class HasWords(Func):
    """Whether the stored words meet a condition, written exactly as their index has it."""

    template = "(array_to_tsvector(string_to_array(%(expressions)s::tsquery)"
    arg_joiner = ", ' ')) @@ "
    output_field = BooleanField()


class Padded(Func):
    """The words with a space before the first, so that each word begins after one."""

    template = "(' ' || %(expressions)s)"
    output_field = TextField()


def words_condition(field: str, words: Sequence[str], using: str, *, any_of: bool = False) -> Q:
    """Return whether each of these words, or any of them, begins a word stored in a field."""
    if connections[using].vendor == "postgresql":
        condition = (" | " if any_of else " & ").join(f"'{word}':*" for word in words)
        return Q(HasWords(F(field), Value(condition)))
    parts: list[Any] = [Q(Contains(Padded(F(field)), f" {word}")) for word in words]
    return Q(*parts, _connector=Q.OR if any_of else Q.AND)
