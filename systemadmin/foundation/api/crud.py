"""CRUD endpoints whose every write is one service call."""

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from systemadmin.foundation.api.access import Required
from systemadmin.foundation.api.paging import PagedList
from systemadmin.foundation.api.views import (
    ListAction,
    RetrieveAction,
    StaffViewSet,
    expected_version,
)


def crud_access(model: str) -> dict[str, Required]:
    """Return Django's own permissions of a model ("app.model") for each action."""
    app, name = model.split(".")
    verbs = {
        "list": "view",
        "retrieve": "view",
        "create": "add",
        "update": "change",
        "partial_update": "change",
        "destroy": "delete",
    }
    return {action: f"{app}.{verb}_{name}" for action, verb in verbs.items()}


class ServiceCrudViewSet(ListAction, RetrieveAction, StaffViewSet):
    """List, read, create, replace, change and delete objects of one model.

    Subclasses name `input_class`, the services, and `subject`: the keyword under which the
    services that change and delete take the object.
    """

    pagination_class = PagedList
    versioned = True
    input_class: ClassVar[type[BaseSerializer]]
    subject: ClassVar[str]
    create_service: ClassVar[Callable[..., Any]]
    update_service: ClassVar[Callable[..., Any]]
    delete_service: ClassVar[Callable[..., None]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        shown = cls.serializer_class
        extend_schema_view(
            create=extend_schema(request=cls.input_class, responses={201: shown}),
            update=extend_schema(request=cls.input_class, responses=shown),
            partial_update=extend_schema(request=cls.input_class(partial=True), responses=shown),
            destroy=extend_schema(request=None, responses={204: None}),
        )(cls)

    def create(self, request: Request) -> Response:
        """Create one."""
        made = type(self).create_service(actor=self.caller, **self.parse(self.input_class))
        return self.answer(made, 201)

    def update(self, request: Request, pk: str) -> Response:
        """Replace one."""
        return self._update(self.parse(self.input_class))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some of its fields."""
        return self._update(self.parse(self.input_class, partial=True))

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete one that is not in use."""
        type(self).delete_service(**self._about())
        return Response(status=204)

    def _update(self, values: dict[str, Any]) -> Response:
        return self.answer(type(self).update_service(**self._about(), **values))

    def _about(self) -> dict[str, Any]:
        return {
            "actor": self.caller,
            self.subject: self.get_object(),
            "expected_version": expected_version(self.request),
        }
