"""What happened on the desk, for whoever lives upstairs: ids only, inside the transaction."""

from django.dispatch import Signal

ticket_opened = Signal()  # ticket_id, requester_id
ticket_replied = Signal()  # ticket_id, reply_id, is_from_customer
ticket_status_changed = Signal()  # ticket_id, before, after
ticket_target_missed = Signal()  # ticket_id, breach_id
