"""`/api/hooks/<name>`: what payment services tell; the list of it, and the hooks, for staff."""

from typing import Any

import django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import hook_signatures
from marketplace.models import PaymentEvent, PaymentHook
from marketplace.payment_notices import MAPPED, NoticeKind
from marketplace.services import payment_events, payment_hooks
from systemadmin.foundation.api import (
    PUBLIC,
    BaseViewSet,
    CursorList,
    ListAction,
    RetrieveAction,
    ServiceCrudViewSet,
    StaffViewSet,
    StrictFilterSet,
    StrictSerializer,
    crud_access,
)
from systemadmin.foundation.api.masked import MaskedModelSerializer
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import TooLarge

LARGEST = 512 * 1024


class RawParser(BaseParser):
    """The body as it is: a signature covers its bytes."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> bytes:
        """Return the bytes; raises `TooLarge`."""
        body: bytes = stream.read(LARGEST + 1)
        if len(body) > LARGEST:
            raise TooLarge
        return body


class ReceivedSerializer(serializers.Serializer):
    """It is kept, and not sent again."""

    received = serializers.BooleanField()


class HookViewSet(BaseViewSet):
    """Events of payment services. The signature says who sends; nobody signs in."""

    access = {"receive": PUBLIC}
    not_idempotent = {"receive"}
    authentication_classes: Any = ()
    parser_classes = [RawParser]
    serializer_class = ReceivedSerializer
    pagination_class = None
    filter_backends: Any = ()

    @extend_schema(
        request={"application/json": OpenApiTypes.OBJECT},
        responses=ReceivedSerializer,
        summary="Receive an event of a payment service",
    )
    def receive(self, request: Request, name: str) -> Response:
        """Keep a signed event; it is worked through afterwards."""
        body: Any = request.data
        payment_events.receive(name=name, body=body, headers=request.headers)
        return Response({"received": True})


class PaymentEventSerializer(MaskedModelSerializer):
    """An event of a payment service."""

    hook = serializers.CharField(source="hook.name", read_only=True)

    class Meta:
        model = PaymentEvent
        fields = [
            "id", "hook", "event_id", "kind", "status", "reference", "order", "attempts",
            "next_attempt_at", "error", "created_at", "done_at",
        ]  # fmt: skip
        read_only_fields = fields


class PaymentEventDetailSerializer(PaymentEventSerializer):
    """An event with its content."""

    body = serializers.DictField(read_only=True)

    class Meta(PaymentEventSerializer.Meta):
        fields = [*PaymentEventSerializer.Meta.fields, "body"]
        read_only_fields = fields


class PaymentEventFilter(StrictFilterSet):
    """By state, service and payment."""

    status = django_filters.ChoiceFilter(choices=PaymentEvent.Status.choices)
    hook = django_filters.CharFilter(field_name="hook__name")
    reference = django_filters.CharFilter()

    class Meta:
        model = PaymentEvent
        fields: list[str] = []


class PaymentEventViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/payment-events`."""

    access = {
        "list": "marketplace.view_paymentevent",
        "retrieve": "marketplace.view_paymentevent",
        "retry": "marketplace.retry_paymentevent",
    }
    queryset = PaymentEvent.objects.select_related("hook")
    serializer_class = PaymentEventSerializer
    filterset_class = PaymentEventFilter
    pagination_class = CursorList

    @extend_schema(responses=PaymentEventDetailSerializer, summary="An event")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one event with its content."""
        return self.answer(self.get_object(), serializer_class=PaymentEventDetailSerializer)

    @extend_schema(request=None, responses=PaymentEventSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Try an event again that failed or waits."""
        event = payment_events.retry_payment_event(actor=caller(request), event=self.get_object())
        return self.answer(event)


class MappedFieldsInput(StrictSerializer):
    """Where each value lies in an event: a dotted path such as `data.amount`."""

    def get_fields(self) -> dict[str, Any]:
        """Return one for each value that the books read."""
        return {
            name: serializers.CharField(max_length=200, required=False) for name in sorted(MAPPED)
        }


class HookMappingInput(StrictSerializer):
    """How a service other than Stripe signs and speaks."""

    signature_header = serializers.CharField(max_length=100)
    timestamp_header = serializers.CharField(max_length=100, required=False)
    algorithm = serializers.ChoiceField(hook_signatures.ALGORITHMS, required=False)
    encoding = serializers.ChoiceField(hook_signatures.ENCODINGS, required=False)
    prefix = serializers.CharField(max_length=40, required=False, trim_whitespace=False)
    event_id = serializers.CharField(max_length=200, required=False)
    type = serializers.CharField(max_length=200, required=False)
    kinds = serializers.DictField(
        child=serializers.ChoiceField([kind.value for kind in NoticeKind]),
        help_text="Their kinds of events to ours.",
    )
    fields_of_events = MappedFieldsInput()
    amounts = serializers.ChoiceField(["minor", "major"], required=False)

    def get_fields(self) -> dict[str, Any]:
        """Name the field as the mapping does; `fields` is a name that serializers use."""
        found = super().get_fields()
        return {("fields" if name == "fields_of_events" else name): found[name] for name in found}


class PaymentHookSerializer(serializers.ModelSerializer):
    """Where a payment service tells of payments; its secret is never shown."""

    mapping = serializers.SerializerMethodField()

    class Meta:
        model = PaymentHook
        fields = [
            "id", "name", "scheme", "mapping", "is_active", "previous_secret_until",
            "created_at", "version",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(HookMappingInput(allow_null=True))
    def get_mapping(self, hook: PaymentHook) -> dict[str, Any] | None:
        """Return how it signs and speaks; none for Stripe."""
        return hook.mapping or None


class PaymentHookInput(StrictSerializer):
    """A hook to change."""

    name = serializers.CharField(max_length=40)
    scheme = serializers.ChoiceField(PaymentHook.Scheme.choices, required=False)
    mapping = HookMappingInput(required=False, allow_null=True)
    is_active = serializers.BooleanField(required=False)

    def validate_mapping(self, value: Any) -> Any:
        """Keep "none" as the model does."""
        return value or {}


class NewPaymentHookInput(PaymentHookInput):
    """A hook to make, with the secret that its service signs with."""

    secret = serializers.CharField(max_length=200, write_only=True)


class PaymentSecretInput(StrictSerializer):
    """A new secret of a hook."""

    secret = serializers.CharField(max_length=200, write_only=True)
    end_previous = serializers.BooleanField(
        required=False, help_text="The one before ends now: for one that leaked."
    )


class PaymentHookViewSet(ServiceCrudViewSet):
    """`/api/admin/payment-hooks`: where payment services tell of payments."""

    access = {
        **crud_access("marketplace.paymenthook"),
        "rotate_secret": "marketplace.change_paymenthook",
    }
    queryset = PaymentHook.objects.order_by("id")
    serializer_class = PaymentHookSerializer
    input_class = PaymentHookInput
    subject = "hook"
    create_service = staticmethod(payment_hooks.save_payment_hook)
    update_service = staticmethod(payment_hooks.save_payment_hook)
    delete_service = staticmethod(payment_hooks.delete_payment_hook)

    @extend_schema(
        request=NewPaymentHookInput,
        responses={201: PaymentHookSerializer},
        summary="Make a payment hook",
    )
    def create(self, request: Request) -> Response:
        """Make a hook; its service then calls `/api/hooks/` and its name."""
        values = self.parse(NewPaymentHookInput)
        return self.answer(payment_hooks.save_payment_hook(actor=caller(request), **values), 201)

    @extend_schema(request=PaymentSecretInput, responses=PaymentHookSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Give a new secret; the one before is good beside it for a day, or ends now."""
        values = self.parse(PaymentSecretInput)
        hook = payment_hooks.rotate_payment_secret(
            actor=caller(request), hook=self.get_object(), **values
        )
        return self.answer(hook)
