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
    services that change and delete take the object. `takes_values`: the services take the input
    as one mapping `values`. `passes_version`: the actions whose service compares `If-Match`.
    """

    pagination_class = PagedList
    versioned = True
    input_class: ClassVar[type[BaseSerializer]]
    subject: ClassVar[str]
    takes_values: ClassVar[bool] = False
    passes_version: ClassVar[set[str]] = {"update", "partial_update", "destroy"}
    create_service: ClassVar[Callable[..., Any]]
    update_service: ClassVar[Callable[..., Any]]
    delete_service: ClassVar[Callable[..., None]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "input_class" not in vars(cls):
            return
        shown, taken = cls.serializer_class, cls.input_class
        described = {
            "create": extend_schema(request=taken, responses={201: shown}),
            "update": extend_schema(request=taken, responses=shown),
            "partial_update": extend_schema(request=taken(partial=True), responses=shown),
            "destroy": extend_schema(request=None, responses={204: None}),
        }
        inherited = {name: one for name, one in described.items() if name not in vars(cls)}
        extend_schema_view(**inherited)(cls)

    def create(self, request: Request) -> Response:
        """Create one."""
        values = self._arguments(self.parse(self.input_class))
        return self.show(type(self).create_service(actor=self.caller, **values), 201)

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
        return self.show(type(self).update_service(**self._about(), **self._arguments(values)))

    def _arguments(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"values": values} if self.takes_values else values

    def _about(self) -> dict[str, Any]:
        about = {"actor": self.caller, self.subject: self.get_object()}
        if self.action in self.passes_version:
            about["expected_version"] = expected_version(self.request)
        return about

    def show(self, made: Any, status: int = 200) -> Response:
        """Return the answer to a write; override it to read the row with annotations."""
        return self.answer(made, status)
