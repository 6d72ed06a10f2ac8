"""The least that Django and DRF do for the same answer: a token looked up, a row counted.

A yardstick for `throughput.py`, on a database of its own: `python bench/bare_site.py` makes the
tables and prints a token; `bare_site:application` is served.
"""

import os
import sys
from pathlib import Path

import environ

sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "bare_site"

SECRET_KEY = "of-a-yardstick-that-keeps-nothing"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "bare_site"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "rest_framework.authtoken",
]
MIDDLEWARE: list[str] = []
DATABASES = {"default": environ.Env().db("BARE_URL")}
# As ours: connections are kept in a pool.
DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 10}}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
USE_TZ = True

import django
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from django.contrib.auth.models import User
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView


class Count(APIView):
    """One row counted."""

    def get(self, request):
        """How many accounts there are with the caller's id."""
        return Response({"unread_count": User.objects.filter(pk=request.user.pk).count()})


urlpatterns = [path("count", Count.as_view())]

if __name__ == "__main__":
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    django.setup()
    call_command("migrate", verbosity=0)
    user = User.objects.create_user("bare")
    print(Token.objects.create(user=user).key)
