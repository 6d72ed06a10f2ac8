"""What happened at the risk desk, for whoever lives upstairs: ids only, inside the transaction."""

from django.dispatch import Signal

risk_level_changed = Signal()  # user_id, level, previous_level ("" for the first)
ruleset_published = Signal()  # ruleset_id, number
decision_made = Signal()  # decision_id, user_id, outcome (allow, review, step_up, block)
