"""Blocked networks in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.admin import ServiceModelAdmin, service_action
from systemadmin.foundation.caller import caller
from systemadmin.foundation.context import current
from systemadmin.models import BlockedNetwork
from systemadmin.services.blocked_networks import block_network, lift_block

_BLOCKED = _("Blocked: %(network)s. One client holds a whole IPv6 /64, not a single address.")

_HELP = _("An address, or a block such as 203.0.113.0/24. An IPv6 address stands for its /64.")


@admin.register(BlockedNetwork)
class BlockedNetworkAdmin(ServiceModelAdmin):
    """Who is kept out, since when and why."""

    list_display = ["network", "reason", "is_automatic", "created_by", "expires_at", "lifted_at"]
    list_filter = ["is_automatic"]
    fields = ["network", "reason", "expires_at"]
    actions = ["lift"]

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Say beside the field what an IPv6 address becomes."""
        return super().get_form(request, obj, **{**kwargs, "help_texts": {"network": _HELP}})

    def create(self, actor: Any, values: dict[str, Any]) -> BlockedNetwork:
        """Block it; a block is lifted, never changed or deleted."""
        return block_network(actor=actor, own_ip=current().ip or "", **values)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        """Say what was blocked where it is more than what was typed."""
        typed = request.POST.get("network", "").strip()
        if obj.network not in (typed, f"{typed}/32"):
            self.message_user(request, _BLOCKED % {"network": obj.network}, messages.INFO)
        return super().response_add(request, obj, post_url_continue)

    @service_action(description=_("Lift the block"), perm="systemadmin.delete_blockednetwork")
    def lift(self, request: HttpRequest, obj: BlockedNetwork) -> None:
        """Lift the block, so that the network gets in again."""
        lift_block(actor=caller(request), block=obj)
