"""How the caller works through tickets: drafts, setting aside, lists to come back to."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from support.api import inputs, serializers
from support.models import SavedView
from support.services.drafts import drafts_of, save_draft
from support.services.saved_views import delete_view, save_view
from support.services.snoozing import snooze_ticket
from systemadmin.foundation.api import ServiceCrudViewSet


class WorkActions:
    """Mixed into the staff's view of tickets."""

    get_object: Any
    answer: Any
    parse: Any
    caller: Any
    _detail: Any

    @extend_schema(responses=serializers.ReplyDraftSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filterset_class=None)
    def drafts(self, request: Request, pk: str) -> Response:
        """Return the caller's unsent texts: one for the customer, one for colleagues, at most."""
        kept = drafts_of(user=self.caller, ticket=self.get_object())
        rows = [kept[kind] for kind in sorted(kept)]
        return Response(serializers.ReplyDraftSerializer(rows, many=True).data)

    @extend_schema(
        request=inputs.DraftInput, responses={200: serializers.ReplyDraftSerializer, 204: None}
    )
    @action(detail=True, methods=["put"])
    def draft(self, request: Request, pk: str) -> Response:
        """Keep what is typed; 409 with the other text when it was typed over elsewhere."""
        data = self.parse(inputs.DraftInput)
        draft = save_draft(actor=self.caller, ticket=self.get_object(), **data)
        if draft is None:
            return Response(status=204)
        return Response(serializers.ReplyDraftSerializer(draft).data)

    @extend_schema(request=inputs.SnoozeInput, responses=serializers.TicketDetailSerializer)
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str) -> Response:
        """Set the ticket aside until a time, or with null take it back."""
        data = self.parse(inputs.SnoozeInput)
        return self._detail(
            snooze_ticket(actor=self.caller, ticket=self.get_object(), until=data["until"])
        )


class SavedViewViewSet(ServiceCrudViewSet):
    """The caller's own lists of tickets and those that colleagues share."""

    queryset = SavedView.objects.none()
    serializer_class = serializers.SavedViewSerializer
    ordering_fields = ["id", "name"]
    input_class = inputs.SavedViewInput
    subject = "view"
    takes_values = True
    create_service = update_service = staticmethod(save_view)
    delete_service = staticmethod(delete_view)
    access = dict.fromkeys(
        ("list", "retrieve", "create", "update", "partial_update", "destroy"), "support.view_ticket"
    )

    def get_queryset(self) -> QuerySet:
        """Return what this agent's list shows."""
        return SavedView.objects.of(self.caller)
