"""The whole tree of addresses, on one screen."""

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from support.file_link_page import file_link_page
from systemadmin.foundation.api.problems import unknown_call
from systemadmin.foundation.api.schema_view import SchemaView
from systemadmin.foundation.headers import API_DOCS_CSP

docs = csp_update(API_DOCS_CSP)(SpectacularSwaggerSplitView.as_view(url_name="schema"))

handler400 = "systemadmin.foundation.api.problems.bad_request"
handler403 = "systemadmin.fault_pages.forbidden"
handler404 = "systemadmin.fault_pages.not_found"
handler500 = "systemadmin.fault_pages.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("files/<str:token>", file_link_page, name="support_file_link"),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", docs, name="docs"),
    path("api/", include("systemadmin.api.urls")),
    path("api/", include("riskops.api.urls")),
    path("api/", include("support.api.urls")),
    path("api/", include("marketplace.api.urls")),
    path("api/", include("messaging.api.urls")),
    re_path(r"^api/", unknown_call),
]
