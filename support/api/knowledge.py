"""What staff keep: templates, macros, questions, categories, calendars, policies, mail."""

from io import BytesIO
from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from support.api import filters, inputs, serializers
from support.models import (
    BusinessCalendar,
    Category,
    Faq,
    InboundMessage,
    Macro,
    OutboundMessage,
    ReplyTemplate,
    SlaPolicy,
)
from support.services import (
    apply_to_open,
    catalogue,
    delete_faq,
    delete_policy,
    delete_template,
    process_again,
    retry,
    save_calendar,
    save_faq,
    save_macro,
    save_policy,
    save_template,
)
from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    RetrieveAction,
    ServiceCrudViewSet,
    StaffViewSet,
    crud_access,
)
from systemadmin.foundation.errors import NotFound
from systemadmin.foundation.files import private_response


class KnowledgeViewSet(ServiceCrudViewSet):
    """What the desk keeps: one service creates and changes it."""

    takes_values = True
    passes_version = {"update", "partial_update"}


class ReplyTemplateViewSet(KnowledgeViewSet):
    """Prepared answers."""

    queryset = ReplyTemplate.objects.all()
    serializer_class = serializers.ReplyTemplateSerializer
    filterset_class = filters.TemplateFilter
    ordering_fields = ["id", "title"]
    input_class = inputs.ReplyTemplateInput
    subject = "template"
    create_service = update_service = staticmethod(save_template)
    delete_service = staticmethod(delete_template)
    access = crud_access("support.replytemplate")


class MacroViewSet(KnowledgeViewSet):
    """Macros."""

    queryset = Macro.objects.all()
    serializer_class = serializers.TicketMacroSerializer
    input_class = inputs.MacroInput
    subject = "macro"
    create_service = update_service = staticmethod(save_macro)
    delete_service = staticmethod(catalogue.delete_macro)
    access = crud_access("support.macro")


class FaqViewSet(KnowledgeViewSet):
    """Questions and answers."""

    queryset = Faq.objects.all()
    serializer_class = serializers.FaqSerializer
    filterset_class = filters.StaffFaqFilter
    ordering_fields = ["id", "position", "helpful_count", "unhelpful_count"]
    input_class = inputs.FaqInput
    subject = "faq"
    create_service = update_service = staticmethod(save_faq)
    delete_service = staticmethod(delete_faq)
    access = crud_access("support.faq")


class CategoryViewSet(KnowledgeViewSet):
    """What tickets are about."""

    queryset = Category.objects.all()
    serializer_class = serializers.TicketCategoryFullSerializer
    input_class = inputs.TicketCategoryInput
    subject = "category"
    versioned = False
    passes_version = set()
    create_service = update_service = staticmethod(catalogue.save_category)
    delete_service = staticmethod(catalogue.delete_category)
    access = crud_access("support.category")


class BusinessCalendarViewSet(KnowledgeViewSet):
    """When the desk works."""

    queryset = BusinessCalendar.objects.all()
    serializer_class = serializers.BusinessCalendarSerializer
    input_class = inputs.BusinessCalendarInput
    subject = "calendar"
    create_service = update_service = staticmethod(save_calendar)
    delete_service = staticmethod(catalogue.delete_calendar)
    access = crud_access("support.businesscalendar")


class SlaPolicyViewSet(KnowledgeViewSet):
    """What the desk promises."""

    queryset = SlaPolicy.objects.select_related("current")
    serializer_class = serializers.SlaPolicySerializer
    input_class = inputs.SlaPolicyInput
    subject = "policy"
    create_service = update_service = staticmethod(save_policy)
    delete_service = staticmethod(delete_policy)
    access = {**crud_access("support.slapolicy"), "apply": "support.change_slapolicy"}

    @extend_schema(request=None, responses={202: serializers.QueuedSerializer})
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str) -> Response:
        """Give the open tickets under this policy its present version."""
        task = apply_to_open(actor=self.caller, policy=self.get_object())
        return Response({"task": task}, status=202)


class InboundMailViewSet(ListAction, RetrieveAction, StaffViewSet):
    """Mail that came, and what became of it."""

    queryset = InboundMessage.objects.none()
    serializer_class = serializers.InboundMessageSerializer
    filterset_class = filters.InboundFilter
    pagination_class = CursorList
    access = {
        "list": "support.view_inboundmessage",
        "retrieve": "support.view_inboundmessage",
        "process": "support.process_inboundmessage",
        "raw": "support.view_inboundmessage",
    }

    def get_queryset(self) -> Any:
        """Return what this member of staff may know of."""
        return InboundMessage.objects.light().listed_for(self.caller)

    @extend_schema(responses={(200, "message/rfc822"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def raw(self, request: Request, pk: str) -> FileResponse:
        """Download the mail as it came."""
        readable = InboundMessage.objects.readable_by(self.caller)
        found = readable.filter(pk=self.get_object().pk).first()
        if found is None:
            raise NotFound
        return private_response(
            BytesIO(bytes(found.raw)), name=f"mail-{found.pk}.eml", content_type="message/rfc822"
        )

    @extend_schema(request=None, responses=serializers.InboundMessageSerializer)
    @action(detail=True, methods=["post"])
    def process(self, request: Request, pk: str) -> Response:
        """Make a ticket of a mail that was ignored or could not be read before."""
        return self.answer(process_again(actor=self.caller, message=self.get_object()))


class OutboundMailViewSet(ListAction, RetrieveAction, StaffViewSet):
    """Mail that goes, and the dead letters."""

    queryset = OutboundMessage.objects.none()
    serializer_class = serializers.OutboundMessageSerializer
    filterset_class = filters.OutboundFilter
    pagination_class = CursorList
    access = {
        "list": "support.view_outboundmessage",
        "retrieve": "support.view_outboundmessage",
        "retry": "support.retry_outboundmessage",
    }

    def get_queryset(self) -> Any:
        """Return what this member of staff may know of."""
        return OutboundMessage.objects.listed_for(self.caller)

    @extend_schema(request=None, responses=serializers.OutboundMessageSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Give a dead letter another round of attempts."""
        return self.answer(retry(actor=self.caller, message=self.get_object()))
