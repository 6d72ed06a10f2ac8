"""Service keys in the admin."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Permission
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.admin import ReasonForm, ServiceModelAdmin, form_action
from systemadmin.foundation.caller import caller
from systemadmin.foundation.scopes import known_scopes
from systemadmin.models import ServiceKey, User
from systemadmin.services import service_keys


class ServiceKeyForm(forms.ModelForm):
    """What a new key is called and may do; addresses are one per line."""

    permissions = forms.ModelMultipleChoiceField(
        label=_("Permissions"),
        queryset=Permission.objects.none(),
        required=False,
        help_text=_("Some of your own; what you lose, the key loses at once."),
        widget=forms.SelectMultiple(attrs={"size": 12}),
    )
    member_scopes = forms.MultipleChoiceField(
        label=_("Member scopes"),
        required=False,
        help_text=_("What the key may do for members; it needs “Can act for members” as well."),
        widget=forms.SelectMultiple(attrs={"size": 8}),
    )
    networks = forms.CharField(
        label=_("Addresses"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Addresses and CIDR blocks, one per line; any when empty."),
    )

    class Meta:
        model = ServiceKey
        fields = ["name", "permissions", "member_scopes", "networks", "rate", "expires_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "member_scopes" in self.fields:
            scopes: Any = self.fields["member_scopes"]
            scopes.choices = [(scope, scope) for scope in known_scopes()]

    def clean_networks(self) -> list[str]:
        """Return one text per line."""
        return self.cleaned_data["networks"].split()


class RotateForm(forms.Form):
    """How long the present secret stays valid."""

    overlap_hours = forms.IntegerField(
        label=_("Hours that the present secret stays valid"),
        min_value=0,
        max_value=168,
        initial=24,
    )


class HandOverForm(forms.Form):
    """Ask for the new owner of a service key."""

    owner = forms.ModelChoiceField(
        label=_("New owner"), queryset=User.objects.staff().order_by("username")
    )


@admin.register(ServiceKey)
class ServiceKeyAdmin(ServiceModelAdmin):
    """Keys of machines: made here, shown once, rotated and revoked."""

    form = ServiceKeyForm
    list_display = ("name", "owner", "is_live", "last_used_at", "expires_at", "revoked_at")
    list_select_related = ("owner",)
    search_fields = ("name__istartswith",)
    fields = ("name", "permissions", "member_scopes", "networks", "rate", "expires_at")
    readonly_on_page = (
        "name",
        "owner",
        "given",
        "member_scopes",
        "networks",
        "rate",
        "secrets_shown",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "last_used_ip",
    )
    actions = ("rotate", "revoke", "hand_over")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("owner", "account")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is None else self.readonly_on_page

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.readonly_on_page

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Offer the permissions that whoever makes the key may give."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is None:
            form.base_fields["permissions"].queryset = _givable(request.user)
        return form

    def create(self, actor: Any, values: dict[str, Any]) -> ServiceKey:
        """Make the key; its secret is shown by the next page, once."""
        given = values.pop("permissions", [])
        names = [f"{one.content_type.app_label}.{one.codename}" for one in given]
        issued = service_keys.create_service_key(actor=actor, permissions=names, **values)
        issued.key.shown_secret = issued.secret  # type: ignore[attr-defined]
        return issued.key

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Show the new secret, this once."""
        super().save_model(request, obj, form, change)
        secret = getattr(obj, "shown_secret", None)
        if secret:
            messages.warning(request, _secret_text(secret))

    @admin.display(description=_("live"), boolean=True)
    def is_live(self, obj: ServiceKey) -> bool:
        return obj.is_live

    @admin.display(description=_("permissions"))
    def given(self, obj: ServiceKey) -> str:
        return ", ".join(obj.permissions) or "-"

    @admin.display(description=_("secrets"))
    def secrets_shown(self, obj: ServiceKey) -> str:
        rows = [
            f"…{one.hint} ({one.ends_at:%Y-%m-%d %H:%M} UTC)" if one.ends_at else f"…{one.hint}"
            for one in obj.secrets.all()
        ]
        return ", ".join(rows)

    @form_action(
        description=_("Give a new secret"), perm="systemadmin.change_servicekey", form=RotateForm
    )
    def rotate(self, request: HttpRequest, obj: ServiceKey, data: dict[str, Any]) -> None:
        """Replace the secret; the present one stays valid for some hours."""
        issued = service_keys.rotate_service_key(
            actor=caller(request), key=obj, overlap=timedelta(hours=data["overlap_hours"])
        )
        messages.warning(request, _secret_text(issued.secret))

    @form_action(description=_("Revoke"), perm="systemadmin.change_servicekey", form=ReasonForm)
    def revoke(self, request: HttpRequest, obj: ServiceKey, data: dict[str, Any]) -> None:
        """End the key at once and for good."""
        service_keys.revoke_service_key(actor=caller(request), key=obj, **data)

    @form_action(
        description=_("Hand over"), perm="systemadmin.change_servicekey", form=HandOverForm
    )
    def hand_over(self, request: HttpRequest, obj: ServiceKey, data: dict[str, Any]) -> None:
        """Let a colleague answer for the key."""
        service_keys.hand_over_service_key(actor=caller(request), key=obj, **data)
        messages.warning(
            request, gettext("Its secrets ended just now. The new owner gives it a new one.")
        )


def _givable(user: Any) -> Any:
    """Return the permissions that somebody may give a key."""
    held = user.get_all_permissions() - service_keys.NEVER
    if not user.holds_all_rights:
        held -= service_keys.given_by_superusers()
    rows = Permission.objects.select_related("content_type").filter(
        codename__in={name.partition(".")[2] for name in held}
    )
    keys = [row.pk for row in rows if f"{row.content_type.app_label}.{row.codename}" in held]
    return rows.filter(pk__in=keys).order_by("content_type__app_label", "codename")


def _secret_text(secret: str) -> str:
    return gettext("Copy the secret now, it is not shown again: %(secret)s") % {"secret": secret}
