"""Accounts in the admin: looking up, editing, suspending, verifying."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group, Permission
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from systemadmin.admin import offboarding, personal_data, sessions
from systemadmin.approval_pages import deferred
from systemadmin.foundation.admin import ServiceModelAdmin, form_action
from systemadmin.foundation.admin.permissions import PermissionChoiceField
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.plugins import service_permissions
from systemadmin.models import User
from systemadmin.roles import role_title
from systemadmin.services import reinstate_user, suspend_user, verify_user, who_suspends
from systemadmin.services.account_lookup import find_accounts
from systemadmin.services.users import save_account

_RIGHTS = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")


def _service_permission_ids() -> list[int]:
    names = service_permissions()
    held = Permission.objects.values_list("pk", "content_type__app_label", "codename")
    return [pk for pk, app, codename in held if f"{app}.{codename}" in names]


def _holds_all_rights(request: HttpRequest) -> bool:
    return getattr(request.user, "holds_all_rights", False)


class ReasonForm(forms.Form):
    """Ask for the reason of an act on an account."""

    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea)


class SuspendForm(ReasonForm):
    """Ask for the reason of a suspension, and until when it lasts."""

    until = forms.DateTimeField(
        label=_("Until"),
        required=False,
        help_text=_("UTC; empty: without end."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )


class OptionalReasonForm(forms.Form):
    """Why, if there is more to say."""

    reason = forms.CharField(
        label=_("Reason"), max_length=500, required=False, widget=forms.Textarea
    )


class StandingFilter(admin.SimpleListFilter):
    """Suspended now or not: the end of a suspension counts."""

    title = _("standing")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("suspended", _("Suspended")), ("verified", _("Verified"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "suspended":
            return queryset.suspended()
        if self.value() == "verified":
            return queryset.filter(verified_at__isnull=False)
        return queryset


class RoleFilter(admin.SimpleListFilter):
    """By role; who has none is nearly everybody."""

    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        roles = Group.objects.order_by("name").values_list("pk", "name")
        return [(str(key), role_title(name)) for key, name in roles]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        known = dict(self.lookup_choices)
        return queryset.filter(groups=self.value()) if self.value() in known else queryset


# Links to pages of their own, each shown to whoever may open one of them.
_LINKS = {
    "open_accesses": ["systemadmin.end_sessions"],
    "off_boarding": ["systemadmin.manage_staff"],
    "personal_data": ["systemadmin.export_account", "systemadmin.erase_account"],
}


@admin.register(User)
class UserAdmin(ServiceModelAdmin):
    """Members and staff; accounts are never deleted here, their history hangs on them."""

    add_form = AdminUserCreationForm
    list_display = (
        "username",
        "email",
        "country",
        "is_staff",
        "date_joined",
        "verified_at",
        "suspended",
    )
    list_filter = (StandingFilter, "is_staff", "is_demo", RoleFilter)
    sortable_by = ("username",)
    search_fields = ("username__istartswith", "email__istartswith", "external_id__istartswith")
    search_help_text = _("Beginning of name or external id, or a whole e-mail address.")
    ordering = ("-date_joined", "-id")
    actions = ("suspend", "reinstate", "verify")
    filter_horizontal = ("groups",)
    readonly_fields = (
        "open_accesses",
        "off_boarding",
        "personal_data",
        "verified_at",
        "suspended_at",
        "suspended_until",
        "suspension_reason",
        "is_demo",
        "last_login",
        "date_joined",
    )
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "username",
                    "first_name",
                    "last_name",
                    "email",
                    "open_accesses",
                    "off_boarding",
                    "personal_data",
                )
            },
        ),
        (
            _("Reaching them"),
            {"fields": ("external_id", "telegram_chat_id", "country", "language")},
        ),
        (
            _("Standing"),
            {"fields": ("verified_at", "suspended_at", "suspended_until", "suspension_reason")},
        ),
        (_("Rights"), {"fields": _RIGHTS}),
        (_("History"), {"fields": ("date_joined", "last_login", "is_demo")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2")}),
        (_("Rights"), {"fields": ("is_staff",)}),
    )

    # -- who may ---------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        in_reach = obj is None or obj.is_in_reach_of(request.user)
        return in_reach and super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may edit accounts may not therefore hand out rights: superusers do that."""
        fields = super().get_readonly_fields(request, obj)
        return fields if _holds_all_rights(request) else (*fields, *_RIGHTS)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        """Find by the beginning of names; by e-mail as far as this user sees addresses."""
        if not search_term.strip():
            return queryset, False
        try:
            found = find_accounts(
                http=request, actor=request.user, accounts=queryset, text=search_term.strip()
            )
        except DomainError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return queryset.none(), False
        return found, False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return the page; whoever may not suspend the account reads who may."""
        context = dict(extra_context or {})
        account = self.get_object(request, object_id)
        if account is not None:
            context["left_to_others"] = who_suspends(caller(request), account)
        return super().change_view(request, object_id, form_url, context)

    # -- forms -----------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        user: Any = request.user
        hidden = {
            name
            for name, permissions in _LINKS.items()
            if not any(user.has_perm(permission) for permission in permissions)
        }
        return [
            (title, {**options, "fields": [f for f in options["fields"] if f not in hidden]})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = self.add_form
        return super().get_form(request, obj, change=change, **kwargs)

    def create(self, actor: Any, values: dict[str, Any]) -> User:
        """Add an account with the password that was typed, or without one."""
        user = User(username=values["username"], is_staff=values.get("is_staff", False))
        if values.get("set_usable_password"):
            user.set_password(values["password1"])
        else:
            user.set_unusable_password()
        return save_account(actor=actor, user=user)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> User:
        """Change the account; its rights are a superuser's to give."""
        roles, permissions = values.pop("groups", None), values.pop("user_permissions", None)
        for name, value in values.items():
            setattr(obj, name, value)
        return save_account(actor=actor, user=obj, roles=roles, permissions=permissions)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: Any = None
    ) -> HttpResponse:
        """Ask for rights that wait for a second person once the account is saved."""
        usual = super().response_add(request, obj, post_url_continue)
        return deferred(request, obj.rights_wait) if obj.rights_wait else usual

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Ask for rights that wait for a second person once the account is saved."""
        usual = super().response_change(request, obj)
        return deferred(request, obj.rights_wait) if obj.rights_wait else usual

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the permissions of service accounts; staff get theirs by a role."""
        if db_field.name == "user_permissions":
            match = request.resolver_match
            held = Q(user=(match.kwargs.get("object_id") if match else None) or 0)
            kwargs["queryset"] = Permission.objects.filter(
                Q(pk__in=_service_permission_ids()) | held
            ).distinct()
            kwargs["form_class"] = PermissionChoiceField
            kwargs["help_text"] = _("For service accounts. Staff get their rights by a role.")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    # -- shown -----------------------------------------------------------------------

    @admin.display(description=_("suspended"), boolean=True)
    def suspended(self, obj: User) -> bool:
        return obj.is_suspended

    @admin.display(description=_("sessions and tokens"))
    def open_accesses(self, obj: User) -> str:
        url = reverse("admin:systemadmin_user_access", args=[obj.pk])
        return format_html('<a href="{}">{}</a>', url, _("Look at them and end them"))

    @admin.display(description=_("off-boarding"))
    def off_boarding(self, obj: User) -> str:
        url = reverse("admin:systemadmin_user_offboarding", args=[obj.pk])
        return format_html('<a href="{}">{}</a>', url, _("Off-board, or see what is left"))

    @admin.display(description=_("personal data"))
    def personal_data(self, obj: User) -> str:
        url = reverse("admin:systemadmin_user_personal_data", args=[obj.pk])
        return format_html('<a href="{}">{}</a>', url, _("Export it, or erase the account"))

    def get_urls(self) -> list[Any]:
        site = self.admin_site
        return [
            path(
                "<int:user_id>/access/",
                site.admin_view(self.access_page),
                name="systemadmin_user_access",
            ),
            path(
                "<int:user_id>/offboarding/",
                site.admin_view(self.offboarding_page),
                name="systemadmin_user_offboarding",
            ),
            path(
                "<int:user_id>/personal-data/",
                site.admin_view(self.personal_data_page),
                name="systemadmin_user_personal_data",
            ),
            path(
                "<int:user_id>/personal-data/exports/<int:export_id>/",
                site.admin_view(self.export_file),
                name="systemadmin_user_export",
            ),
            path(
                "end-member-sessions/",
                site.admin_view(self.end_members_page),
                name="systemadmin_user_end_members",
            ),
            *super().get_urls(),
        ]

    def access_page(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """Sessions, tokens, password and second factor of one account."""
        return sessions.access_page(request, self.admin_site, user_id)

    def offboarding_page(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """Show what an account has of staff's, and take it away."""
        return offboarding.offboarding_page(request, self.admin_site, user_id)

    def personal_data_page(self, request: HttpRequest, user_id: int) -> HttpResponseBase:
        """Export, legal holds and erasure of one account."""
        return personal_data.personal_data_page(request, self.admin_site, user_id)

    def export_file(self, request: HttpRequest, user_id: int, export_id: int) -> HttpResponseBase:
        """Return the file of an export."""
        return personal_data.export_file(request, user_id, export_id)

    def end_members_page(self, request: HttpRequest) -> HttpResponse:
        """Answer the page that ends the sessions of all members."""
        return sessions.end_members_page(request, self.admin_site)

    # -- actions ---------------------------------------------------------------------

    @form_action(
        description=_("Suspend selected accounts"),
        perm="systemadmin.suspend_user",
        form=SuspendForm,
    )
    def suspend(self, request: HttpRequest, obj: User, data: dict[str, Any]) -> None:
        suspend_user(actor=caller(request), user=obj, **data)

    @form_action(
        description=_("Reinstate selected accounts"),
        perm="systemadmin.suspend_user",
        form=OptionalReasonForm,
    )
    def reinstate(self, request: HttpRequest, obj: User, data: dict[str, Any]) -> None:
        reinstate_user(actor=caller(request), user=obj, **data)

    @form_action(
        description=_("Mark selected accounts as verified"),
        perm="systemadmin.verify_user",
        form=OptionalReasonForm,
    )
    def verify(self, request: HttpRequest, obj: User, data: dict[str, Any]) -> None:
        verify_user(actor=caller(request), user=obj, **data)
