"""Serializers shared by the endpoints of the base app."""

from rest_framework import serializers

from systemadmin.models import User


class UserSerializer(serializers.ModelSerializer):
    """An account as it sees itself."""

    role = serializers.CharField(read_only=True)
    email = serializers.CharField(read_only=True, help_text="Empty where there is none.")
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
