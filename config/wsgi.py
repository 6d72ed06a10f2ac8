"""WSGI entry point: the web processes."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config.gateway import Gateway
from config.liveness import watched_wsgi
from config.startup import settle_in
from systemadmin.foundation.content_type import utf8_only_wsgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Watched inside: granian calls the gateway by its RSGI interface.
application = Gateway(
    watched_wsgi(utf8_only_wsgi(get_wsgi_application()), settings.WEB_THREADS),
    threads=settings.WEB_THREADS,
)
settle_in()
