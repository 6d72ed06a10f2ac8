"""What staff keep: templates, macros, questions, categories, calendars, policies, mail."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, ClassVar

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
    StaffViewSet,
    expected_version,
)
from systemadmin.foundation.files import private_response


def crud(model: str) -> dict[str, Any]:
    """The permissions of create, read, update and delete of a model."""
    return {
        "list": f"support.view_{model}",
        "retrieve": f"support.view_{model}",
        "create": f"support.add_{model}",
        "update": f"support.change_{model}",
        "partial_update": f"support.change_{model}",
        "destroy": f"support.delete_{model}",
    }


class KeptViewSet(ListAction, RetrieveAction, StaffViewSet):
    """Create, read, update and delete through two services."""

    versioned = True
    input_class: ClassVar[Any] = None
    noun: ClassVar[str] = ""
    save_service: ClassVar[Callable[..., Any]]
    delete_service: ClassVar[Callable[..., Any]]

    def create(self, request: Request) -> Response:
        """Create one."""
        values = self.parse(self.input_class)
        return self.answer(type(self).save_service(actor=self.caller, values=values), 201)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Replace it."""
        return self._save(request, self.parse(self.input_class))

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change some of it."""
        return self._save(request, self.parse(self.input_class, partial=True))

    def _save(self, request: Request, values: dict[str, Any]) -> Response:
        arguments: dict[str, Any] = {self.noun: self.get_object()}
        if self.versioned:
            arguments["expected_version"] = expected_version(request)
        saved = type(self).save_service(actor=self.caller, values=values, **arguments)
        return self.answer(saved)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete it."""
        type(self).delete_service(actor=self.caller, **{self.noun: self.get_object()})
        return Response(status=204)


def kept(input_class: Any, output: Any) -> Any:
    """Describe the five operations for OpenAPI."""

    def decorate(view: Any) -> Any:
        view.input_class = input_class
        for name, status in (("create", 201), ("update", 200), ("partial_update", 200)):
            described = extend_schema(request=input_class, responses={status: output})
            setattr(view, name, described(_own(view, name)))
        view.destroy = extend_schema(responses={204: None})(_own(view, "destroy"))
        return view

    return decorate


def _own(view: Any, name: str) -> Any:
    """A method of this class alone: a description on the shared one would be everyone's."""
    inherited = getattr(KeptViewSet, name)

    def method(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        return inherited(self, request, *args, **kwargs)

    method.__name__, method.__doc__ = name, inherited.__doc__
    method.__qualname__ = f"{view.__qualname__}.{name}"
    return method


@kept(inputs.ReplyTemplateInput, serializers.ReplyTemplateSerializer)
class ReplyTemplateViewSet(KeptViewSet):
    """Prepared answers."""

    queryset = ReplyTemplate.objects.all()
    serializer_class = serializers.ReplyTemplateSerializer
    filterset_class = filters.TemplateFilter
    ordering_fields = ["id", "title"]
    noun = "template"
    save_service = save_template
    delete_service = delete_template
    access = crud("replytemplate")


@kept(inputs.MacroInput, serializers.TicketMacroSerializer)
class MacroViewSet(KeptViewSet):
    """Macros."""

    queryset = Macro.objects.all()
    serializer_class = serializers.TicketMacroSerializer
    noun = "macro"
    save_service = save_macro
    delete_service = catalogue.delete_macro
    access = crud("macro")


@kept(inputs.FaqInput, serializers.FaqSerializer)
class FaqViewSet(KeptViewSet):
    """Questions and answers."""

    queryset = Faq.objects.all()
    serializer_class = serializers.FaqSerializer
    filterset_class = filters.StaffFaqFilter
    ordering_fields = ["id", "position", "helpful_count", "unhelpful_count"]
    noun = "faq"
    save_service = save_faq
    delete_service = delete_faq
    access = crud("faq")


@kept(inputs.TicketCategoryInput, serializers.TicketCategoryFullSerializer)
class CategoryViewSet(KeptViewSet):
    """What tickets are about."""

    queryset = Category.objects.all()
    serializer_class = serializers.TicketCategoryFullSerializer
    noun = "category"
    versioned = False
    save_service = catalogue.save_category
    delete_service = catalogue.delete_category
    access = crud("category")


@kept(inputs.BusinessCalendarInput, serializers.BusinessCalendarSerializer)
class BusinessCalendarViewSet(KeptViewSet):
    """When the desk works."""

    queryset = BusinessCalendar.objects.all()
    serializer_class = serializers.BusinessCalendarSerializer
    noun = "calendar"
    save_service = save_calendar
    delete_service = catalogue.delete_calendar
    access = crud("businesscalendar")


@kept(inputs.SlaPolicyInput, serializers.SlaPolicySerializer)
class SlaPolicyViewSet(KeptViewSet):
    """What the desk promises."""

    queryset = SlaPolicy.objects.select_related("current")
    serializer_class = serializers.SlaPolicySerializer
    noun = "policy"
    save_service = save_policy
    delete_service = delete_policy
    access = {**crud("slapolicy"), "apply": "support.change_slapolicy"}

    @extend_schema(request=None, responses={202: serializers.QueuedSerializer})
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str) -> Response:
        """Give the open tickets under this policy its present version."""
        task = apply_to_open(actor=self.caller, policy=self.get_object())
        return Response({"task": task}, status=202)


class InboundMailViewSet(ListAction, RetrieveAction, StaffViewSet):
    """Mail that came, and what became of it."""

    queryset = InboundMessage.objects.light()
    serializer_class = serializers.InboundMessageSerializer
    filterset_class = filters.InboundFilter
    pagination_class = CursorList
    access = {
        "list": "support.view_inboundmessage",
        "retrieve": "support.view_inboundmessage",
        "process": "support.process_inboundmessage",
        "raw": "support.view_inboundmessage",
    }

    @extend_schema(responses={(200, "message/rfc822"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def raw(self, request: Request, pk: str) -> FileResponse:
        """Download the mail as it came."""
        found = InboundMessage.objects.get(pk=self.get_object().pk)
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

    queryset = OutboundMessage.objects.all()
    serializer_class = serializers.OutboundMessageSerializer
    filterset_class = filters.OutboundFilter
    pagination_class = CursorList
    access = {
        "list": "support.view_outboundmessage",
        "retrieve": "support.view_outboundmessage",
        "retry": "support.retry_outboundmessage",
    }

    @extend_schema(request=None, responses=serializers.OutboundMessageSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Give a dead letter another round of attempts."""
        return self.answer(retry(actor=self.caller, message=self.get_object()))
