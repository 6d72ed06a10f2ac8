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


@admin.register(BlockedNetwork)
class BlockedNetworkAdmin(AtalayaModelAdmin):
    """Who is kept out, since when and why."""

    list_display = ["network", "reason", "is_automatic", "created_by", "expires_at", "lifted_at"]
    list_filter = ["is_automatic"]
    fields = ["network", "reason", "expires_at"]
    actions = ["lift"]

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
        except DomainError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit trail tells of it; a refused one has no key to log."""
        return super().log_addition(request, obj, message) if obj.pk else None

    @service_action(description=_("Lift the block"), perm="systemadmin.delete_blockednetwork")
    def lift(self, request: HttpRequest, obj: BlockedNetwork) -> None:
        """Let it in again."""
        lift_block(actor=request.user, block=obj)  # type: ignore[arg-type]
