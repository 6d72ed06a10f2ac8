"""Sign-in and sign-out of API clients."""

from typing import Any

from django.contrib.auth import authenticate
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.api.serializers import LoginAnswer, LoginInput, UserSerializer
from systemadmin.foundation.api import MEMBER, PUBLIC, BaseViewSet
from systemadmin.foundation.context import current
from systemadmin.models import ApiToken


class AuthViewSet(BaseViewSet):
    """`/api/auth/…`."""

    access = {"login": PUBLIC, "default": MEMBER}
    rate_classes = {"login": "login"}
    not_idempotent = {"login", "logout", "logout_all"}
    allowed_while_suspended = {"logout", "logout_all"}
    serializer_class = UserSerializer

    @extend_schema(request=LoginInput, responses=LoginAnswer, summary="Sign in")
    @action(detail=False, methods=["post"])
    def login(self, request: Request) -> Response:
        """Check the credentials and issue an expiring token."""
        data = self.parse(LoginInput)
        user = authenticate(
            request=request._request, username=data["username"], password=data["password"]
        )
        if user is None:
            raise AuthenticationFailed(_("Wrong username or password."))
        token, secret = ApiToken.objects.create(user=user, ip=current().ip or None)
        answer = {"token": secret, "expires_at": token.expiry, "user": user}
        return self.answer(answer, serializer_class=LoginAnswer)

    @extend_schema(request=None, responses={204: None}, summary="Sign out")
    @action(detail=False, methods=["post"])
    def logout(self, request: Request) -> Response:
        """End this token."""
        if isinstance(request.auth, ApiToken):
            request.auth.delete()
        return Response(status=204)

    @extend_schema(responses=UserSerializer, summary="Who am I")
    @action(detail=False, methods=["get"])
    def me(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the signed-in account."""
        return self.answer(request.user)
