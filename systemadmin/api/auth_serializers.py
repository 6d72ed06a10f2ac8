"""Bodies of sign-in, second factor and sessions."""

from rest_framework import serializers

from systemadmin.api.serializers import UserSerializer
from systemadmin.foundation.api import AccountKeyField, StrictSerializer


class DeviceInput(StrictSerializer):
    """What the client says about its device."""

    fingerprint = serializers.CharField(max_length=128, required=False, allow_blank=True)
    screen = serializers.CharField(max_length=32, required=False, allow_blank=True)
    language = serializers.CharField(max_length=32, required=False, allow_blank=True)
    timezone = serializers.CharField(max_length=64, required=False, allow_blank=True)


class LoginInput(StrictSerializer):
    """Credentials; `otp_code` where a second factor is set up."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=128, trim_whitespace=False)
    otp_code = serializers.CharField(max_length=32, required=False, allow_blank=True)
    device = DeviceInput(required=False)


class LoginAnswer(serializers.Serializer):
    """The token, shown once."""

    token = serializers.CharField()
    expires_at = serializers.DateTimeField()
    two_factor_setup_required = serializers.BooleanField(
        help_text="True when the token opens only the set-up of a second factor."
    )
    user = UserSerializer()


class MeAnswer(UserSerializer):
    """The signed-in account and how far its sign-in went."""

    two_factor_enabled = serializers.BooleanField()
    two_factor_passed = serializers.BooleanField()
    two_factor_required = serializers.BooleanField()
    permissions = serializers.ListField(child=serializers.CharField())

    class Meta(UserSerializer.Meta):
        fields = [
            *UserSerializer.Meta.fields,
            "two_factor_enabled",
            "two_factor_passed",
            "two_factor_required",
            "permissions",
        ]
        read_only_fields = fields


class OtpInput(StrictSerializer):
    """A code of the authenticator app, or a recovery code."""

    otp_code = serializers.CharField(max_length=32)


class OptionalOtpInput(StrictSerializer):
    """The current code, where an app is being replaced."""

    otp_code = serializers.CharField(max_length=32, required=False, allow_blank=True)


class EnrolmentAnswer(serializers.Serializer):
    """What the authenticator app needs, and the same as a QR code."""

    secret = serializers.CharField(help_text="Base32, for typing in by hand.")
    otpauth_url = serializers.CharField()
    qr_svg = serializers.CharField(help_text="The address as an SVG image.")


class RecoveryCodesAnswer(serializers.Serializer):
    """Recovery codes, shown once."""

    recovery_codes = serializers.ListField(child=serializers.CharField())


class PasswordInput(StrictSerializer):
    """The old password and the new one."""

    current_password = serializers.CharField(max_length=128, trim_whitespace=False)
    new_password = serializers.CharField(max_length=128, trim_whitespace=False)


class NewPasswordInput(StrictSerializer):
    """A new password for somebody else."""

    new_password = serializers.CharField(max_length=128, trim_whitespace=False)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


class ReasonInput(StrictSerializer):
    """Input of an act on an account: the reason."""

    reason = serializers.CharField(max_length=500)


class AccessSerializer(serializers.Serializer):
    """A session or token that is open now."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=["token", "session"])
    title = serializers.CharField()
    ip = serializers.IPAddressField(allow_null=True)
    device = serializers.CharField()
    user_agent = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    two_factor = serializers.BooleanField(allow_null=True)
    is_current = serializers.BooleanField()


class LeftSerializer(serializers.Serializer):
    """How much of one thing of staff's an account still has."""

    code = serializers.CharField()
    title = serializers.CharField()
    count = serializers.IntegerField()


class OffboardInput(StrictSerializer):
    """Why, and which colleague takes the work over."""

    reason = serializers.CharField(max_length=500)
    successor = AccountKeyField(allow_null=True, default=None)


class EndedAnswer(serializers.Serializer):
    """How many sessions and tokens ended."""

    ended = serializers.IntegerField()


class PurgeInput(StrictSerializer):
    """`dry_run` counts and removes nothing."""

    dry_run = serializers.BooleanField(required=False, default=False)


class PurgeAnswer(serializers.Serializer):
    """What was removed, or would be, by table."""

    dry_run = serializers.BooleanField()
    total = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField())
    detached = serializers.DictField(child=serializers.IntegerField())
    blockers = serializers.ListField(child=serializers.CharField())
    backup = serializers.CharField(allow_null=True)
