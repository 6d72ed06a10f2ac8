"""Sessions, tokens, passwords and second factors of other people, and the demo purge."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.api import auth_serializers as bodies
from systemadmin.api.auth import access_of
from systemadmin.foundation.api import StaffViewSet
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import InvalidInput, NotFound
from systemadmin.models import User
from systemadmin.services import (
    access_links,
    authentication,
    demo,
    offboarding,
    sessions,
    two_factor,
)


def _successor(user_id: int | None) -> User | None:
    found = User.objects.filter(pk=user_id).first()
    if user_id is not None and found is None:
        raise InvalidInput("successor", _("There is no such account."), code="does_not_exist")
    return found


class UserSessionsViewSet(StaffViewSet):
    """`/api/admin/users/{id}/sessions` and what else ends somebody's access."""

    access = {
        "list": "systemadmin.end_sessions",
        "destroy": "systemadmin.end_sessions",
        "end_all": "systemadmin.end_sessions",
        "end_members": "systemadmin.end_member_sessions",
        "set_password": "systemadmin.set_password",
        "reset_password": "systemadmin.set_password",
        "reset_two_factor": "systemadmin.reset_two_factor",
        "left": "systemadmin.manage_staff",
        "offboard": "systemadmin.manage_staff",
    }
    not_idempotent = {"set_password"}
    needs_second_person = {"reset_password", "reset_two_factor", "offboard"}
    serializer_class = bodies.AccessSerializer
    queryset = User.objects.all()
    pagination_class = None
    filter_backends: Any = ()

    def account(self) -> User:
        """Return the account that the path names."""
        user = User.objects.filter(pk=self.kwargs["user_id"]).first()
        if user is None:
            raise NotFound
        return user

    @extend_schema(
        responses=bodies.AccessSerializer(many=True), summary="Sessions and tokens of an account"
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return every open session and token of the account, with device and address."""
        found = sessions.shown_accesses(
            self.account(), viewer=self.caller, current_access=access_of(request)
        )
        return Response(bodies.AccessSerializer(found, many=True).data)

    @extend_schema(
        operation_id="admin_users_sessions_destroy_all",
        responses={200: bodies.EndedAnswer},
        summary="End all of an account's sessions",
    )
    def end_all(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End every session and token of the account."""
        ended = sessions.end_all(actor=caller(request), user=self.account())
        return self.answer({"ended": ended}, serializer_class=bodies.EndedAnswer)

    @extend_schema(
        responses=bodies.LeftSerializer(many=True), summary="What an account has of staff's"
    )
    def left(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return what makes the account staff and what it holds; all zero after off-boarding."""
        found = offboarding.what_is_left(self.account())
        return Response(bodies.LeftSerializer(found, many=True).data)

    @extend_schema(
        request=bodies.OffboardInput,
        responses=bodies.LeftSerializer(many=True),
        summary="Off-board an account of staff",
    )
    def offboard(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take rights, sessions, second factor and work; answers what is left. Superusers only."""
        data, user = self.parse(bodies.OffboardInput), self.account()
        offboarding.offboard(
            actor=caller(request),
            user=user,
            reason=data["reason"],
            successor=_successor(data["successor"]),
        )
        found = offboarding.what_is_left(self.account())
        return Response(bodies.LeftSerializer(found, many=True).data)

    @extend_schema(responses={204: None}, summary="End one of an account's sessions")
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End one session or token of the account."""
        sessions.end_one(
            actor=caller(request), user=self.account(), access_id=self.kwargs["access_id"]
        )
        return Response(status=204)

    @extend_schema(
        request=bodies.ReasonInput, responses=bodies.EndedAnswer, summary="Log every member out"
    )
    @action(detail=False, methods=["post"])
    def end_members(self, request: Request) -> Response:
        """End every session and token of everyone but staff."""
        reason = self.parse(bodies.ReasonInput)["reason"]
        ended = sessions.end_all_of_members(actor=caller(request), reason=reason)
        return self.answer({"ended": ended}, serializer_class=bodies.EndedAnswer)

    @extend_schema(
        request=bodies.NewPasswordInput, responses={204: None}, summary="Set a new password"
    )
    def set_password(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give a member without an address a password; others choose one by `password-reset`."""
        data = self.parse(bodies.NewPasswordInput)
        authentication.set_password(
            actor=caller(request),
            user=self.account(),
            new_password=data["new_password"],
            reason=data.get("reason", ""),
        )
        return Response(status=204)

    @extend_schema(
        request=bodies.ReasonInput,
        responses={204: None},
        summary="Send a one-time link for a new password",
    )
    def reset_password(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Send a link by which the owner chooses a password; sessions and tokens end now.

        For staff, and to an address that staff set of late, this needs a second person (202).
        """
        reason = self.parse(bodies.ReasonInput)["reason"]
        access_links.reset_password(actor=caller(request), user=self.account(), reason=reason)
        return Response(status=204)

    @extend_schema(
        request=bodies.ReasonInput, responses={204: None}, summary="Take a second factor off"
    )
    def reset_two_factor(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Remove a member's authenticator app and recovery codes; staff get a one-time link."""
        reason = self.parse(bodies.ReasonInput)["reason"]
        two_factor.reset(actor=caller(request), user=self.account(), reason=reason)
        return Response(status=204)


class DemoViewSet(StaffViewSet):
    """`/api/admin/demo/purge`."""

    access = {"purge": "systemadmin.purge_demo"}
    needs_second_person = {"purge"}
    # A backup comes first and must not run inside the key's transaction.
    not_idempotent = {"purge"}
    serializer_class = bodies.PurgeInput
    pagination_class = None
    filter_backends: Any = ()

    @extend_schema(
        request=bodies.PurgeInput, responses=bodies.PurgeAnswer, summary="Remove all demo data"
    )
    @action(detail=False, methods=["post"])
    def purge(self, request: Request) -> Response:
        """Remove exactly the demo rows, after a backup; 409 names real rows in the way."""
        report = demo.purge_demo(actor=caller(request), **self.parse(bodies.PurgeInput))
        return self.answer(report, serializer_class=bodies.PurgeAnswer)
