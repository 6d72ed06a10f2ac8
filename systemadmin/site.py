"""The admin site: desks in order, staff with their second factor."""

from functools import wraps
from operator import itemgetter
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET

from systemadmin import approval_pages, provider_pages, review_pages
from systemadmin import settings_page as home
from systemadmin import sign_in_pages as pages
from systemadmin.access_link_pages import access_link_page
from systemadmin.foundation.admin import AtalayaModelAdmin, delete_selected
from systemadmin.foundation.errors import Deferred
from systemadmin.foundation.page_limits import heartbeat
from systemadmin.home import home_context
from systemadmin.live_page import live_page
from systemadmin.models import User
from systemadmin.preferences import preferences_page
from systemadmin.retention_page import retention_page
from systemadmin.search_page import search_page
from systemadmin.shell import Shell
from systemadmin.status_page import status_page

DESK_ORDER = ["support", "marketplace", "riskops", "messaging", "systemadmin", "django_q", "auth"]

_guarded = [never_cache, csrf_protect, sensitive_post_parameters()]


class NamedChoices(AutocompleteJsonView):
    """What a field to choose from offers, people by their names and user names."""

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        """Return key and words of a choice."""
        found: dict[str, str] = super().serialize_result(obj, to_field_name)
        if isinstance(obj, User):
            name = obj.get_full_name()
            found["text"] = f"{name} (@{obj.username})" if name else obj.username
        return found


class AtalayaAdminSite(AdminSite):
    """Our own site, the default one for `@admin.register`."""

    site_header = "Atalaya"
    site_title = "Atalaya"
    index_title = _("What needs you now")
    site_url = None  # members have other front ends: there is no "site" to view
    enable_nav_sidebar = False  # the rail of desks stands in its place

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # Django's own deletes rows past the services.
        self.disable_action("delete_selected")
        self.add_action(delete_selected, "delete_selected")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register a page of ours; the pages that other packages bring are left out.

        They write without a service, an audit row or our permissions.
        """
        if admin_class is not None and issubclass(admin_class, AtalayaModelAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def unregister(self, model_or_iterable: Any) -> None:
        """Let packages take away what was left out."""
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        super().unregister([model for model in models if self.is_registered(model)])

    def has_permission(self, request: HttpRequest) -> bool:
        """Active staff whose second factor, where they need one, was passed."""
        user: Any = request.user
        return getattr(user, "is_acting_staff", False) and not pages.lacks_second_factor(request)

    def get_urls(self) -> list[Any]:
        """Django's pages and those of our sign-in."""
        own = [
            path("login/code/", self.login_code, name="login_code"),
            path("login/provider/", self.provider, name="provider"),
            path("login/provider/callback/", self.provider_callback, name="provider_callback"),
            path("access-link/", self.access_link, name="access_link"),
            path("second-factor/", self.two_factor, name="two_factor"),
            path("language/", self.language, name="language"),
            path("preferences/", self.admin_view(self.preferences), name="preferences"),
            path("search/", self.admin_view(self.search), name="search"),
            path("waiting/", self.admin_view(self.waiting), name="waiting"),
            path("live/", self.admin_view(heartbeat(live_page)), name="live"),
            path("status/", self.admin_view(self.status), name="status"),
            path("retention/", self.admin_view(self.retention), name="retention"),
            path("second-person/", self.admin_view(self.ask), name="ask_second_person"),
            path("settings/", self.admin_view(self.settings), name="settings"),
            *self._review_urls(),
        ]
        return own + super().get_urls()

    def _review_urls(self) -> list[Any]:
        """Return the review desk, one address for each queue and thing."""

        def page(view: Any) -> Any:
            return self.admin_view(lambda request, **found: view(request, self, **found))

        thing = "review/<slug:code>/<int:pk>/"
        return [
            path("review/", page(review_pages.overview_page), name="review"),
            path("review/<slug:code>/", page(review_pages.queue_page), name="review_queue"),
            path(thing, page(review_pages.thing_page), name="review_thing"),
            path(f"{thing}undo/", page(review_pages.undo_page), name="review_undo"),
            path(f"{thing}presence/", page(review_pages.presence_page), name="review_presence"),
        ]

    @method_decorator(_guarded)
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Answer the page that asks for name and password."""
        return pages.sign_in(request, self)

    @method_decorator(_guarded)
    def login_code(self, request: HttpRequest) -> HttpResponse:
        """Answer the page that asks for the code of the second factor."""
        return pages.enter_code(request, self)

    @method_decorator([never_cache, require_GET])
    def provider(self, request: HttpRequest) -> HttpResponse:
        """Return the way to the identity provider."""
        return provider_pages.begin_page(request, self)

    @method_decorator([never_cache, require_GET])
    def provider_callback(self, request: HttpRequest) -> HttpResponse:
        """Return the way back from it."""
        return provider_pages.callback_page(request, self)

    @method_decorator(never_cache)
    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Sign out here and, where it offers that, at the identity provider."""
        url = provider_pages.way_out(request)
        response = super().logout(request, extra_context)
        return provider_pages.signed_out_page(request, self, url) if url else response

    @method_decorator(_guarded)
    def access_link(self, request: HttpRequest) -> HttpResponse:
        """Return what a one-time link opens."""
        return access_link_page(request, self)

    @method_decorator(_guarded)
    def two_factor(self, request: HttpRequest) -> HttpResponse:
        """One's own authenticator app and recovery codes."""
        return pages.two_factor_page(request, self)

    @method_decorator([never_cache, csrf_protect])
    def language(self, request: HttpRequest) -> HttpResponse:
        """Switch the pages to Spanish or English."""
        return pages.switch_language(request)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Answer the page on which people change their own password."""
        return pages.OwnPasswordView.as_view(
            form_class=AdminPasswordChangeForm,
            success_url=reverse("admin:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
            template_name="registration/password_change_form.html",
        )(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return what every page shows: the demo banner among it."""
        context = {
            **super().each_context(request),
            "demo_mode": settings.DEMO_MODE,
            "maintenance_banner": home.maintenance_banner(),
        }
        if not self.has_permission(request):
            # A sign-in half done needs no menu of what it cannot open.
            context |= {"available_apps": []}
        return context | {"shell": Shell(request, context["available_apps"])}

    def index(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Return what needs a human now, before anything else."""
        return super().index(request, {**(extra_context or {}), **home_context(request.user)})

    def preferences(self, request: HttpRequest) -> HttpResponse:
        """Time zone, single keys, language and theme of this browser."""
        return preferences_page(request, self)

    def search(self, request: HttpRequest) -> HttpResponse:
        """People, tickets, orders, pages: whatever the desks offer."""
        return search_page(request, self)

    @heartbeat
    def waiting(self, request: HttpRequest) -> HttpResponse:
        """Return how much waits at each desk, for the badges of the rail."""
        return TemplateResponse(request, "admin/atalaya/waiting.html", self.each_context(request))

    def status(self, request: HttpRequest) -> HttpResponse:
        """Return the state of the machine and its parts."""
        return status_page(request, self)

    def retention(self, request: HttpRequest) -> HttpResponse:
        """Return what is kept and how long."""
        return retention_page(request, self)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Wrap a page as Django does; acts that wait for a second person are kept as requests."""

        @wraps(view)
        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return view(request, *args, **kwargs)
            except Deferred as found:
                return approval_pages.deferred(request, found)

        return super().admin_view(page, cacheable)

    def ask(self, request: HttpRequest) -> HttpResponse:
        """Why an act that needs a second person should be done."""
        return approval_pages.ask_page(request, self)

    def settings(self, request: HttpRequest) -> HttpResponse:
        """Return what staff may change."""
        return home.settings_page(request, self)

    def autocomplete_view(self, request: HttpRequest) -> Any:
        """Return what a field to choose from offers; people by their names."""
        return NamedChoices.as_view(admin_site=self)(request)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the desks in the order of the day's work, not of the alphabet.

        Names are made text once: to compare lazy ones translates both again at each comparison.
        """
        apps = list(self._build_app_dict(request, app_label).values())
        for app in apps:
            app["name"] = str(app["name"])
            for model in app["models"]:
                model["name"] = str(model["name"])
            app["models"].sort(key=itemgetter("name"))
        order = {label: position for position, label in enumerate(DESK_ORDER)}
        return sorted(
            apps, key=lambda app: (order.get(app["app_label"], len(order)), app["name"].lower())
        )
