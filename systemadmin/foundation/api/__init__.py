"""The base of every endpoint: access, problems, paging, idempotency, concurrency."""

from systemadmin.foundation.api.access import MEMBER, PUBLIC, DeclaredAccess, lacks_second_factor
from systemadmin.foundation.api.crud import ServiceCrudViewSet, crud_access
from systemadmin.foundation.api.filters import (
    ReferenceFilter,
    StrictFilterBackend,
    StrictFilterSet,
    StrictOrdering,
)
from systemadmin.foundation.api.negotiation import JSONAlways, StrictJSONParser
from systemadmin.foundation.api.paging import CursorList, PagedList
from systemadmin.foundation.api.problems import problem_response
from systemadmin.foundation.api.routing import Router
from systemadmin.foundation.api.schema import problem_responses
from systemadmin.foundation.api.serializers import (
    AccountKeyField,
    KeyField,
    ReferenceField,
    ReferenceTextField,
    StrictSerializer,
)
from systemadmin.foundation.api.views import (
    BaseViewSet,
    ListAction,
    MemberViewSet,
    PublicViewSet,
    RetrieveAction,
    StaffViewSet,
    expected_version,
)

__all__ = [
    "MEMBER",
    "PUBLIC",
    "AccountKeyField",
    "BaseViewSet",
    "CursorList",
    "DeclaredAccess",
    "JSONAlways",
    "KeyField",
    "ListAction",
    "MemberViewSet",
    "PagedList",
    "PublicViewSet",
    "ReferenceField",
    "ReferenceFilter",
    "ReferenceTextField",
    "RetrieveAction",
    "Router",
    "ServiceCrudViewSet",
    "StaffViewSet",
    "StrictFilterBackend",
    "StrictFilterSet",
    "StrictJSONParser",
    "StrictOrdering",
    "StrictSerializer",
    "crud_access",
    "expected_version",
    "lacks_second_factor",
    "problem_response",
    "problem_responses",
]
