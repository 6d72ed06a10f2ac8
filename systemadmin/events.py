"""What happened here, for whoever lives upstairs: ids only, sent inside the transaction."""

from django.dispatch import Signal

user_suspended = Signal()  # user_id, actor_id
user_reinstated = Signal()  # user_id, actor_id
user_verified = Signal()  # user_id, actor_id
# user_id, ip, device (fingerprint or ""), country, occurred_at, event_key (unique)
user_logged_in = Signal()
user_login_failed = Signal()  # user_id, ip, device, occurred_at, event_key
two_factor_changed = Signal()  # user_id, enabled, occurred_at, event_key
# Sent in a restored copy before it goes live: drop what must not be done a second time.
database_restored = Signal()
acted_alone = Signal()  # act, actor_name: one person did what needs two elsewhere
