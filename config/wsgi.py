"""WSGI entry point: the web processes."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config.gateway import Gateway
from config.liveness import watched_wsgi
from config.startup import settle_in
from systemadmin.foundation.content_type import utf8_only_wsgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = watched_wsgi(
    Gateway(utf8_only_wsgi(get_wsgi_application()), threads=settings.WEB_THREADS)
)
settle_in()
