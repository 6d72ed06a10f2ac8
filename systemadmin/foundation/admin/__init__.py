"""Base classes of the admin: pages that look, pages that write through services, actions."""

from systemadmin.foundation.admin.actions import (
    MAX_ROWS,
    ConfirmForm,
    delete_selected,
    form_action,
    run_per_row,
    service_action,
)
from systemadmin.foundation.admin.forms import ReasonForm
from systemadmin.foundation.admin.pages import (
    AtalayaModelAdmin,
    ReadOnlyInline,
    WriteWithoutService,
)
from systemadmin.foundation.admin.refusals import REFUSALS, refusal_text
from systemadmin.foundation.admin.services import ServiceModelAdmin

__all__ = [
    "MAX_ROWS",
    "REFUSALS",
    "AtalayaModelAdmin",
    "ConfirmForm",
    "ReadOnlyInline",
    "ReasonForm",
    "ServiceModelAdmin",
    "WriteWithoutService",
    "delete_selected",
    "form_action",
    "refusal_text",
    "run_per_row",
    "service_action",
]
