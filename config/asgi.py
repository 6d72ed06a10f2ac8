"""ASGI entry point: the process that holds event streams."""

import os

from django.core.asgi import get_asgi_application

from config.gateway import without_underscores
from config.liveness import watched_asgi
from config.startup import settle_in
from systemadmin.foundation.content_type import utf8_only_asgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = watched_asgi(without_underscores(utf8_only_asgi(get_asgi_application())))
settle_in()
