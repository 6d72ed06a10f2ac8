"""Permissions as people read them: what may be done with what, in the reader's language."""

from typing import Any, Final

from django.contrib.auth.models import Permission
from django.forms import ModelMultipleChoiceField
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

# The database keeps Django's own names in English.
DEFAULTS: Final = {
    "add": _("Can add: %(things)s"),
    "change": _("Can change: %(things)s"),
    "delete": _("Can delete: %(things)s"),
    "view": _("Can view: %(things)s"),
}


def permission_label(permission: Permission) -> str:
    """Return the desk and the permission: "Support · Can view: tickets"."""
    model = permission.content_type.model_class()
    if model is None:
        return permission.name
    act, _underscore, thing = permission.codename.partition("_")
    is_default = act in DEFAULTS and thing == model._meta.model_name
    text = (
        str(DEFAULTS[act]) % {"things": model._meta.verbose_name_plural}
        if is_default
        else gettext(permission.name)
    )
    return f"{capfirst(model._meta.app_config.verbose_name)} · {text}"


class PermissionChoiceField(ModelMultipleChoiceField):
    """A choice of permissions; the rows need their content types, read in one query."""

    def __init__(self, queryset: Any, **kwargs: Any) -> None:
        """Read the content types with the permissions."""
        super().__init__(queryset=queryset.select_related("content_type"), **kwargs)

    def label_from_instance(self, obj: Any) -> str:
        """Say it in the reader's language."""
        return permission_label(obj)
