"""Base viewsets: parse, check, call one service or queryset, answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.utils.http import http_date
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from systemadmin.foundation import maintenance, references
from systemadmin.foundation.api import idempotency
from systemadmin.foundation.api.access import MEMBER, PUBLIC, DeclaredAccess, Required
from systemadmin.foundation.api.filters import StrictFilterBackend, StrictOrdering
from systemadmin.foundation.api.negotiation import JSONAlways, StrictJSONParser
from systemadmin.foundation.api.paging import PagedList
from systemadmin.foundation.caller import caller
from systemadmin.foundation.concurrency import check_version, lock_row
from systemadmin.foundation.context import note_user
from systemadmin.foundation.errors import DomainError, InvalidInput, NotAllowed, NotFound
from systemadmin.foundation.models import VersionedModel
from systemadmin.foundation.parsing import Unreadable, parse_whole_number
from systemadmin.foundation.ratelimit import ClassThrottle, ratelimit_headers
from systemadmin.foundation.scopes import ACT_FOR, Grant


@dataclass(frozen=True, slots=True)
class Retiring:
    """When an action was deprecated, and the moment from which it is gone."""

    since: datetime
    until: datetime

    def headers(self) -> dict[str, str]:
        """Return `Deprecation` (RFC 9745) and `Sunset` (RFC 8594)."""
        return {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": http_date(self.until.timestamp()),
        }


SAFE = ("GET", "HEAD", "OPTIONS")
LATEST_VERSION = 2**31 - 1


def expected_version(request: Request) -> int | None:
    """Return the version that `If-Match` names, or None without the header (or `*`)."""
    raw = request.headers.get("If-Match")
    if raw is None or raw.strip() == "*":
        return None
    try:
        return parse_whole_number(raw.strip().removeprefix("W/").strip('"'), 0, LATEST_VERSION)
    except Unreadable as error:
        raise InvalidInput("If-Match", _("Send the ETag of the version you read.")) from error


def _names_its_rows(view: Any) -> bool:
    """Return whether a viewset says which rows it is about."""
    return view.queryset is not None or type(view).get_queryset != GenericViewSet.get_queryset


class BaseViewSet(GenericViewSet):
    """Declared access, rate classes, idempotency and problems for every endpoint."""

    permission_classes: Any = (DeclaredAccess,)
    throttle_classes: Any = (ClassThrottle,)
    content_negotiation_class = JSONAlways
    parser_classes: Any = (StrictJSONParser, MultiPartParser)
    filter_backends: Any = (StrictFilterBackend, StrictOrdering)
    pagination_class: Any = PagedList

    access: ClassVar[dict[str, Required]] = {}
    rate_classes: ClassVar[dict[str, str]] = {}
    # Answers that must not be stored (they hold a credential) or that create nothing.
    not_idempotent: ClassVar[set[str]] = set()
    allowed_while_suspended: ClassVar[set[str]] = set()
    # What staff whose second factor is still missing may call (REQUIRE_STAFF_2FA).
    open_before_two_factor: ClassVar[set[str]] = set()
    versioned: ClassVar[bool] = False
    # Actions whose service compares the version itself, because it locks other rows first: a lock
    # of the object before those would close a ring with a call that has no `If-Match`.
    checks_version: ClassVar[set[str]] = set()
    # Actions that answer one object though they are called `list` (for the schema).
    singular: ClassVar[set[str]] = set()
    # Actions whose service may wait for a second person: they answer 202 then (for the schema).
    needs_second_person: ClassVar[set[str]] = set()
    # Other actions that take a reason in the header `Approval-Reason` (for the schema).
    takes_reason: ClassVar[set[str]] = set()
    # Actions of the member's side that no key calls for a member (for the schema).
    closed_to_keys: ClassVar[set[str]] = set()
    # Actions that will go: deprecated since, gone from. See "What changes" in docs/clients.md.
    retiring: ClassVar[dict[str, Retiring]] = {}
    # Actions of the member's side that a service key may call as itself.
    open_to_services: ClassVar[set[str]] = set()
    # Refuse unknown query parameters on actions other than `list` too, and name the
    # parameters that an action reads by itself.
    strict_parameters: bool = False
    # Health and sign-in answer also while the place is closed.
    open_in_maintenance: bool = False
    extra_parameters: tuple[str, ...] = ()

    # -- the request's way ---------------------------------------------------------

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """DRF's dispatch, with the handler run under its idempotency key if it has one."""
        self.args, self.kwargs = args, kwargs
        request = self.initialize_request(request, *args, **kwargs)
        self.request = request
        self.headers = self.default_response_headers
        try:
            self.initial(request, *args, **kwargs)
            response = self._run(request, *args, **self.kwargs)
        except Exception as exc:
            response = self.handle_exception(exc)
        self.response = self.finalize_response(request, response, *args, **kwargs)
        return self.response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Negotiate, authenticate, count against the limit, then check access.

        The limit comes before the permission: guessing must cost the guesser too.
        """
        self.format_kwarg = self.get_format_suffix(**kwargs)
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(
            request
        )
        request.version, request.versioning_scheme = self.determine_version(
            request, *args, **kwargs
        )
        try:
            self.perform_authentication(request)
            self._check_act_for(request)
        except (exceptions.APIException, DomainError):
            request._not_authenticated()
            self.check_throttles(request)
            raise
        note_user(request.user.pk if request.user.is_authenticated else None)
        self.check_throttles(request)
        self.check_permissions(request)
        self._check_maintenance(request)
        self._resolve_references()

    def _check_act_for(self, request: Request) -> None:
        # A header that nobody reads would act for the wrong account.
        is_read = isinstance(request.auth, Grant) and request.auth.acts_for
        if ACT_FOR in request.headers and not is_read:
            raise NotAllowed(_("Only a service key acts for a member."), code="act_for_refused")

    def _resolve_references(self) -> None:
        """Replace `ext:…` in the path by our id; one that nobody has becomes an id without a row.

        Here, and not while the path is matched: who may not ask must not learn what exists.
        """
        for name, value in self.kwargs.items():
            if name != "external_id" and str(value).startswith(references.PREFIX):
                model = self.get_queryset().model if name == "pk" else None
                if model is not None and not references.has_external_id(model):
                    model = None
                try:
                    found = references.key_of(references.parse_reference(value), model)
                except Unreadable as error:
                    raise NotFound from error
                self.kwargs[name] = str(found)

    def _check_maintenance(self, request: Request) -> None:
        # Here and not in middleware: only now it is known whether a token is staff's.
        refusal = None if self.open_in_maintenance else maintenance.refusal(request.method)
        if refusal is None:
            return
        is_person = not isinstance(request.auth, Grant)
        if not (is_person and getattr(request.user, "is_acting_staff", False)):
            raise refusal
        if request.method not in SAFE:
            maintenance.write_bypassed.send(
                sender=type(self),
                user_id=request.user.pk,
                method=request.method,
                path=request.path,
            )

    def _run(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        method = (request.method or "").lower()
        if method in self.http_method_names:
            handler = getattr(self, method, self.http_method_not_allowed)
        else:
            handler = self.http_method_not_allowed
        key = idempotency.key_of(request) if self._may_repeat(request) else None
        if key is None:
            return self._run_on_version(request, lambda: handler(request, *args, **kwargs))
        return idempotency.run_once(
            request,
            key,
            lambda: self._run_on_version(request, lambda: handler(request, *args, **kwargs)),
        )

    def _run_on_version(self, request: Request, call: Callable[[], Response]) -> Response:
        """Run an act on a versioned object; 412 when `If-Match` names another version of it.

        This holds for every act without its doing: the row stays locked while the act runs.
        """
        version = None if request.method in SAFE else expected_version(request)
        rows = self._versioned_rows() if version is not None else None
        if rows is None:
            return call()
        with transaction.atomic():
            row = rows.filter(pk=self.kwargs["pk"]).first()
            # What the caller may not see is for the act itself to refuse, as not found.
            if row is not None and self.action in self.checks_version:
                check_version(row, version)
            elif row is not None:
                lock_row(QuerySet(rows.model), pk=row.pk, expected_version=version)
            return call()

    def _versioned_rows(self) -> QuerySet | None:
        """Return the rows among which the call names one to act on; None without versions."""
        has_rows = _names_its_rows(self)
        if self.action is None or "pk" not in self.kwargs or not has_rows:
            return None
        rows = self.get_queryset()
        return rows if issubclass(rows.model, VersionedModel) else None

    def _may_repeat(self, request: Request) -> bool:
        return (
            request.method == "POST"
            and request.user.is_authenticated
            and self.action is not None
            and self.action not in self.not_idempotent
        )

    def handle_exception(self, exc: Exception) -> Response:
        """DRF's handling without its exception for unhandled errors: all are problems."""
        if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
            # The name and place that DRF itself uses for the header.
            vars(exc)["auth_header"] = self.get_authenticate_header(self.request)
        handler = self.get_exception_handler()
        response = handler(exc, self.get_exception_handler_context())
        # An act that waits for a second person is answered, not refused.
        response.exception = response.status_code >= 400
        return response

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Add the ETag of versioned objects and the rate-limit headers."""
        response = super().finalize_response(request, response, *args, **kwargs)
        data = getattr(response, "data", None)
        if (
            self.versioned
            and response.status_code < 300
            and isinstance(data, dict)
            and isinstance(data.get("version"), int)
        ):
            response["ETag"] = f'"{data["version"]}"'
        ends = self.retiring.get(getattr(self, "action", None) or "")
        headers = ratelimit_headers(request) | (ends.headers() if ends else {})
        for name, value in headers.items():
            response[name] = value
        return response

    # -- what subclasses and the base classes around us ask --------------------------

    def action_for(self, request: Request) -> str | None:
        """Return the action that the method maps to, or None (405)."""
        return getattr(self, "action_map", {}).get((request.method or "").lower())

    def rate_class_for(self, request: Request) -> str:
        """Return the name of the rate class that this call counts against."""
        named = self.rate_classes.get(self.action or "") or self.rate_classes.get("default")
        return named or ("read" if request.method in SAFE else "write")

    @property
    def caller(self) -> Any:
        """The signed-in account (access control has seen to it that there is one)."""
        return caller(self.request)

    def parse(self, serializer_class: type[BaseSerializer], **kwargs: Any) -> dict[str, Any]:
        """Return the validated body; raises the validation problem."""
        serializer = serializer_class(
            data=self.request.data, context=self.get_serializer_context(), **kwargs
        )
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def answer(
        self,
        instance: Any,
        status: int = 200,
        serializer_class: type[BaseSerializer] | None = None,
    ) -> Response:
        """Return `instance` through the output serializer."""
        chosen = serializer_class or self.serializer_class
        serializer = chosen(instance, context=self.get_serializer_context())
        return Response(serializer.data, status=status)

    def list_page(
        self, queryset: QuerySet, serializer_class: type[BaseSerializer] | None = None
    ) -> Response:
        """Return one page of `queryset` through filters and the paginator."""
        page = self.paginate_queryset(self.filter_queryset(queryset))
        chosen = serializer_class or self.get_serializer_class()
        data = chosen(page, many=True, context=self.get_serializer_context()).data
        return self.get_paginated_response(data)


class ListAction:
    """Mix in for `GET` on the collection."""

    def list(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List, filtered and paged."""
        return self.list_page(self.get_queryset())


class RetrieveAction:
    """Mix in for `GET` on one object."""

    def retrieve(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one object."""
        return Response(self.get_serializer(self.get_object()).data)


class StaffViewSet(BaseViewSet):
    """Endpoints of staff: each action names its permission."""


class MemberViewSet(BaseViewSet):
    """Endpoints of any signed-in account; `get_queryset` narrows to its own objects."""

    access: ClassVar[dict[str, Required]] = {"default": MEMBER}


class PublicViewSet(BaseViewSet):
    """Endpoints that anyone may call."""

    access: ClassVar[dict[str, Required]] = {"default": PUBLIC}
