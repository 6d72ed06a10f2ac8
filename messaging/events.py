"""What the messaging desk tells whoever cares; ids only."""

from django.dispatch import Signal

message_reported = Signal()  # report_id
report_handled = Signal()  # report_id
broadcast_finished = Signal()  # broadcast_id
