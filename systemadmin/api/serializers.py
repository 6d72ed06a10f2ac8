"""Serializers shared by the endpoints of the base app."""

from rest_framework import serializers

from systemadmin.foundation.api import StrictSerializer
from systemadmin.models import User


class UserSerializer(serializers.ModelSerializer):
    """An account as it sees itself."""

    role = serializers.CharField(read_only=True)
    is_suspended = serializers.BooleanField(read_only=True)

    class Meta:
        model = User
        fields = [
            "id",
            "username",
            "email",
            "first_name",
            "last_name",
            "external_id",
            "country",
            "language",
            "is_staff",
            "is_superuser",
            "role",
            "is_demo",
            "verified_at",
            "is_suspended",
            "suspended_until",
            "date_joined",
        ]
        read_only_fields = fields


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
    user = UserSerializer()
