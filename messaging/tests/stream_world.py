"""Runs inside `manage.py shell` of a real installation: two members with tokens, no quotas."""

import json
import sys

from systemadmin.models import ApiToken, User
from systemadmin.services import change_settings

change_settings(
    actor=None,
    values={
        **{f"messaging.quota_{tier}": [] for tier in ("new", "risky", "standard", "trusted")},
        "messaging.stream_heartbeat_seconds": 1,
        "ratelimit.write": "100000/m",
        "ratelimit.read": "100000/m",
    },
)
people = {}
for name in ("ana", "bea"):
    user, _is_new = User.objects.get_or_create(username=name)
    _token, secret = ApiToken.objects.create(user=user)
    people[name] = {"id": user.pk, "token": secret}
sys.stdout.write("WORLD " + json.dumps(people) + "\n")
