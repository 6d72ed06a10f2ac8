"""Blocked networks in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.admin import AtalayaModelAdmin, service_action
from systemadmin.foundation.context import current
from systemadmin.foundation.errors import DomainError
from systemadmin.models import BlockedNetwork
from systemadmin.services.blocked_networks import block_network, lift_block

_BLOCKED = _("Blocked: %(network)s. One client holds a whole IPv6 /64, not a single address.")

_HELP = _("An address, or a block such as 203.0.113.0/24. An IPv6 address stands for its /64.")


@admin.register(BlockedNetwork)
class BlockedNetworkAdmin(AtalayaModelAdmin):
    """Who is kept out, since when and why."""

    list_display = ["network", "reason", "is_automatic", "created_by", "expires_at", "lifted_at"]
    list_filter = ["is_automatic"]
    fields = ["network", "reason", "expires_at"]
    actions = ["lift"]

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Say beside the field what an IPv6 address becomes."""
        return super().get_form(request, obj, **{**kwargs, "help_texts": {"network": _HELP}})

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Adding goes through the service (see `save_model`)."""
        return request.user.has_perm("systemadmin.add_blockednetwork")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Block through the service; a refusal is shown and nothing is stored."""
        try:
            made = block_network(
                actor=request.user,  # type: ignore[arg-type]
                own_ip=current().ip or "",
                network=obj.network,
                reason=obj.reason,
                expires_at=obj.expires_at,
            )
            obj.pk = made.pk
            if made.network not in (obj.network, f"{obj.network}/32"):
                self.message_user(request, _BLOCKED % {"network": made.network}, messages.INFO)
        except DomainError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit trail tells of it; a refused one has no key to log."""
        return super().log_addition(request, obj, message) if obj.pk else None

    @service_action(description=_("Lift the block"), perm="systemadmin.delete_blockednetwork")
    def lift(self, request: HttpRequest, obj: BlockedNetwork) -> None:
        """Let it in again."""
        lift_block(actor=request.user, block=obj)  # type: ignore[arg-type]
