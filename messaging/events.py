"""Signals of the messaging desk; they carry ids only."""

from django.dispatch import Signal

message_reported = Signal()  # report_id
report_handled = Signal()  # report_id
broadcast_finished = Signal()  # broadcast_id
