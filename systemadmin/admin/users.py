"""Accounts in the admin."""

from django.contrib import admin

from systemadmin.foundation.admin import AtalayaModelAdmin
from systemadmin.models import User


@admin.register(User)
class UserAdmin(AtalayaModelAdmin):
    """Look up an account."""

    list_display = ["username", "email", "country", "is_staff", "verified_at", "suspended_at"]
    list_filter = ["is_staff", "is_demo", "country"]
    search_fields = ["username__istartswith", "email__istartswith", "external_id__istartswith"]
    ordering = ["-date_joined", "-id"]
