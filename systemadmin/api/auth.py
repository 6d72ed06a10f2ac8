"""Sign-in, sign-out, second factor and one's own sessions."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.api import auth_serializers as bodies
from systemadmin.api.serializers import UserSerializer
from systemadmin.foundation.api import MEMBER, PUBLIC, BaseViewSet
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import ApiToken
from systemadmin.services import authentication, sessions, two_factor
from systemadmin.services.authentication import DeviceInfo
from systemadmin.services.qr import qr_svg


def access_of(request: Request) -> Any:
    """Return the token or, in the browser, the request that this call came with."""
    return request.auth if isinstance(request.auth, ApiToken) else request._request


class AuthViewSet(BaseViewSet):
    """`/api/auth/…`."""

    access = {"login": PUBLIC, "default": MEMBER}
    rate_classes = {"login": "login", "password": "login"}
    # An answer may hold a secret, and the traces of a refusal must outlive it.
    not_idempotent = {"login", "logout", "logout_all", "password"}
    allowed_while_suspended = {"logout", "logout_all"}
    open_before_two_factor = {"logout", "logout_all", "me"}
    open_to_services = {"me"}
    open_in_maintenance = True
    serializer_class = UserSerializer
    pagination_class = None
    filter_backends: Any = ()

    @extend_schema(request=bodies.LoginInput, responses=bodies.LoginAnswer, summary="Sign in")
    @action(detail=False, methods=["post"])
    def login(self, request: Request) -> Response:
        """Check name, password and, where there is one, the second factor; issue a token.

        401 `otp_required` asks for the call again with `otp_code`. After five failures for
        one name from one network the answer is 429 `locked_out` for a quarter of an hour; a
        recovery code or the one-time code that the owner is sent, in `otp_code`, passes it.
        """
        data = self.parse(bodies.LoginInput)
        signed_in = authentication.login(
            http=request._request,
            username=data["username"],
            password=data["password"],
            otp_code=data.get("otp_code", ""),
            device=DeviceInfo(**data.get("device", {})),
        )
        answer = {
            "token": signed_in.secret,
            "expires_at": signed_in.token.expiry,
            "two_factor_setup_required": signed_in.needs_setup,
            "user": signed_in.user,
        }
        return self.answer(answer, serializer_class=bodies.LoginAnswer)

    @extend_schema(request=None, responses={204: None}, summary="Sign out")
    @action(detail=False, methods=["post"])
    def logout(self, request: Request) -> Response:
        """End the token or session that this call came with."""
        authentication.logout(user=caller(request), access=access_of(request))
        return Response(status=204)

    @extend_schema(request=None, responses=bodies.EndedAnswer, summary="Sign out everywhere")
    @action(detail=False, methods=["post"], url_path="logout-all")
    def logout_all(self, request: Request) -> Response:
        """End every session and token of this account, this one too."""
        ended = sessions.end_all(actor=caller(request), user=caller(request))
        return self.answer({"ended": ended}, serializer_class=bodies.EndedAnswer)

    @extend_schema(responses=bodies.MeAnswer, summary="Who am I")
    @action(detail=False, methods=["get"])
    def me(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the signed-in account, what it may, and where its second factor stands."""
        user = caller(request)
        user.two_factor_enabled = two_factor.confirmed_device(user) is not None
        user.two_factor_passed = user.is_verified()
        user.two_factor_required = two_factor.is_needed(user)
        user.permissions = sorted(user.get_all_permissions()) if user.is_acting_staff else []
        return self.answer(user, serializer_class=bodies.MeAnswer)

    @extend_schema(
        request=bodies.PasswordInput, responses={204: None}, summary="Change one's password"
    )
    @action(detail=False, methods=["post"])
    def password(self, request: Request) -> Response:
        """Change the password; every other session and token of the account ends."""
        data = self.parse(bodies.PasswordInput)
        authentication.change_password(user=caller(request), keep=access_of(request), **data)
        return Response(status=204)


class TwoFactorViewSet(BaseViewSet):
    """`/api/auth/2fa/…`."""

    access = {"default": MEMBER}
    rate_classes = {"default": "second_factor"}
    not_idempotent = {"setup_", "confirm", "disable", "recovery_codes"}
    open_before_two_factor = {"setup_", "confirm"}
    serializer_class = bodies.OtpInput
    pagination_class = None
    filter_backends: Any = ()

    @extend_schema(
        request=bodies.OptionalOtpInput,
        responses=bodies.EnrolmentAnswer,
        summary="Begin the set-up of an authenticator app",
    )
    @action(detail=False, methods=["post"], url_path="setup")
    def setup_(self, request: Request) -> Response:
        """Make a new secret; it counts from `confirm` on. Replacing an app takes `otp_code`."""
        data = self.parse(bodies.OptionalOtpInput)
        enrolment = two_factor.begin_setup(user=caller(request), code=data.get("otp_code", ""))
        answer = {
            "secret": enrolment.secret,
            "otpauth_url": enrolment.otpauth_url,
            "qr_svg": qr_svg(enrolment.otpauth_url),
        }
        return self.answer(answer, serializer_class=bodies.EnrolmentAnswer)

    @extend_schema(
        request=bodies.OtpInput, responses=bodies.RecoveryCodesAnswer, summary="Turn 2FA on"
    )
    @action(detail=False, methods=["post"])
    def confirm(self, request: Request) -> Response:
        """Turn the app on with its first code; answers with recovery codes, shown once.

        The token of this call counts as verified from now on.
        """
        code = self.parse(bodies.OtpInput)["otp_code"]
        codes = authentication.confirm_two_factor(
            user=caller(request), code=code, access=access_of(request)
        )
        return self.answer({"recovery_codes": codes}, serializer_class=bodies.RecoveryCodesAnswer)

    @extend_schema(request=bodies.OtpInput, responses={204: None}, summary="Turn 2FA off")
    @action(detail=False, methods=["post"])
    def disable(self, request: Request) -> Response:
        """Turn the second factor off with a last code; staff who must have one cannot."""
        two_factor.disable(user=caller(request), code=self.parse(bodies.OtpInput)["otp_code"])
        return Response(status=204)

    @extend_schema(
        request=bodies.OtpInput,
        responses=bodies.RecoveryCodesAnswer,
        summary="Make new recovery codes",
    )
    @action(detail=False, methods=["post"], url_path="recovery-codes")
    def recovery_codes(self, request: Request) -> Response:
        """Replace the recovery codes; the old ones stop working."""
        code = self.parse(bodies.OtpInput)["otp_code"]
        codes = two_factor.regenerate_recovery_codes(user=caller(request), code=code)
        return self.answer({"recovery_codes": codes}, serializer_class=bodies.RecoveryCodesAnswer)


class OwnSessionsViewSet(BaseViewSet):
    """`/api/auth/sessions`: where I am signed in."""

    access = {"default": MEMBER}
    allowed_while_suspended = {"destroy"}
    serializer_class = bodies.AccessSerializer
    pagination_class = None
    filter_backends: Any = ()

    @extend_schema(responses=bodies.AccessSerializer(many=True), summary="My sessions and tokens")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return every session and token of this account, last used first."""
        if request.query_params:
            raise InvalidInput(dict.fromkeys(request.query_params, "Unknown parameter."))
        found = sessions.open_accesses(caller(request), current_access=access_of(request))
        return Response(bodies.AccessSerializer(found, many=True).data)

    @extend_schema(responses={204: None}, summary="End one of my sessions or tokens")
    def destroy(self, request: Request, access_id: str) -> Response:
        """End one session or token of this account."""
        sessions.end_one(actor=caller(request), user=caller(request), access_id=access_id)
        return Response(status=204)
