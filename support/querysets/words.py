"""Stored words in SQL: an indexed condition on PostgreSQL, plain matching elsewhere."""

from django.db.models import BooleanField, Func, TextField


class HasWords(Func):
    """Whether the stored words meet a condition, written exactly as their index has it."""

    template = "(array_to_tsvector(string_to_array(%(expressions)s::tsquery)"
    arg_joiner = ", ' ')) @@ "
    output_field = BooleanField()


class Padded(Func):
    """The words with a space before the first, so that each word begins after one."""

    template = "(' ' || %(expressions)s)"
    output_field = TextField()
