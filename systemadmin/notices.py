"""Notices of the base app whose words are written at the moment of sending."""

from functools import partial

from systemadmin.foundation.plugins import Notice
from systemadmin.models import AccessLink
from systemadmin.services.access_links import KIND, words

NOTICES = [
    Notice(kind=f"{KIND}{purpose}", words=partial(words, purpose=purpose), is_secret=True)
    for purpose in AccessLink.Purpose.values
]
