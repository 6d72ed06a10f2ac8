"""Reads of questions and answers."""

from django.db.models import F, QuerySet

from support import search
from support.querysets.words import Padded


class FaqQuerySet(QuerySet):
    """Named filters over questions and answers."""

    def published(self) -> "FaqQuerySet":
        """Return what anyone may read."""
        return self.filter(is_published=True)

    def found_by(self, query: str) -> "FaqQuerySet":
        """Return those with a word beginning with each word asked, among hundreds, not millions."""
        found = self.annotate(padded=Padded(F("words")))
        for word in search.asked(query):
            found = found.filter(padded__contains=f" {word}")
        return found
