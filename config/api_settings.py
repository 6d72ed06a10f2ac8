"""Settings of the API and of its description for Django REST framework and drf-spectacular."""

from typing import Any

from systemadmin.foundation.enum_names import EnumNames

# What our viewsets need they name themselves (foundation/api/views.py); these defaults
# are for views of other packages, and the permission among them opens to no member.
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "systemadmin.api.authentication.ServiceKeyAuthentication",
        "systemadmin.api.authentication.PlatformTokenAuthentication",
        "systemadmin.api.authentication.BearerAuthentication",
        "systemadmin.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    # What a call takes is in the schema; asking each view by OPTIONS runs code that has no object.
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "systemadmin.foundation.api.schema.ProblemAutoSchema",
    "EXCEPTION_HANDLER": "systemadmin.foundation.api.problems.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}


def spectacular_settings(*, is_public: bool, public_url: str) -> dict[str, Any]:
    """Return the settings of the schema; `is_public` shows it without signing in.

    Only health, sign-in, the FAQ and approved products are public.
    """
    return {
        "TITLE": "Atalaya API",
        "DESCRIPTION": "Trust-and-operations back office of a community marketplace.",
        "VERSION": "1.0.0",
        "CONTACT": {"name": "Whoever runs this Atalaya", "url": public_url},
        "LICENSE": {"name": "MIT", "identifier": "MIT"},
        "OAS_VERSION": "3.1.0",
        "ENUM_NAME_OVERRIDES": EnumNames(),
        "SERVE_INCLUDE_SCHEMA": False,
        "SERVE_PERMISSIONS": [
            "rest_framework.permissions.AllowAny"
            if is_public
            else "rest_framework.permissions.IsAuthenticated"
        ],
        "COMPONENT_SPLIT_REQUEST": True,
        "SCHEMA_PATH_PREFIX": "/api",
        "SWAGGER_UI_DIST": "SIDECAR",
        "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
        "POSTPROCESSING_HOOKS": [
            "systemadmin.foundation.api.schema_webhooks.describe_webhooks",
            "drf_spectacular.hooks.postprocess_schema_enums",
            "systemadmin.foundation.api.schema_shape.shape_for_clients",
            "systemadmin.foundation.api.schema.describe_problems",
            "config.json_shapes.shape_json_columns",
            "config.operation_ids.name_operations",
            "systemadmin.foundation.api.schema_headers.describe_headers",
        ],
        "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False},
    }
