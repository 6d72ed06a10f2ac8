"""Notices of this desk whose words are written at the moment of sending."""

from messaging.services.notices import KIND, unread_words
from systemadmin.foundation.plugins import Notice

NOTICES = [Notice(kind=KIND, words=unread_words)]
