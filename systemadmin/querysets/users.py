"""Reads of accounts."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Upper
from django.utils import timezone


class UserQuerySet(QuerySet):
    """Named filters over accounts."""

    def suspended(self) -> "UserQuerySet":
        """Return accounts whose suspension is in force."""
        now = timezone.now()
        return self.filter(suspended_at__isnull=False).filter(
            Q(suspended_until__isnull=True) | Q(suspended_until__gt=now)
        )

    def members(self) -> "UserQuerySet":
        """Return accounts that are not staff."""
        return self.filter(is_staff=False, is_superuser=False)

    def staff(self) -> "UserQuerySet":
        """Return people who count as staff: active and not suspended."""
        return self.filter(is_staff=True, is_active=True, is_service=False).exclude(
            Q(suspended_at__isnull=False)
            & (Q(suspended_until__isnull=True) | Q(suspended_until__gt=timezone.now()))
        )

    def granted(self, permission: str) -> "UserQuerySet":
        """Return accounts to which a role or an account's own list gives `app.codename`.

        Two lists that are read once: Django's `with_perm` asks for each account of the table.
        """
        app_label, codename = permission.split(".")
        of = Permission.objects.filter(content_type__app_label=app_label, codename=codename)
        # The types see any model here, not the one with these relations.
        model: Any = self.model
        by_role = model.groups.through.objects.filter(group__permissions__in=of)
        by_account = model.user_permissions.through.objects.filter(permission__in=of)
        return self.filter(
            Q(pk__in=by_role.values("user_id")) | Q(pk__in=by_account.values("user_id"))
        )

    def demo(self) -> "UserQuerySet":
        """Return accounts made by demo seeding."""
        return self.filter(is_demo=True)

    def named(self, names: Iterable[str]) -> "UserQuerySet":
        """Return accounts that have one of these names, whatever their capitals.

        By the index of `upper(username)`, which the search by beginnings uses too.
        """
        # Signs beyond ASCII are left to the database, which knows its own capitals.
        wanted = [name.upper() if name.isascii() else Upper(Value(name)) for name in names if name]
        return self.alias(name_in_capitals=Upper("username")).filter(name_in_capitals__in=wanted)

    def search(self, text: str, *, with_email: bool = False) -> "UserQuerySet":
        """Return accounts whose name or external id begins with `text`, or who are called so.

        "Ana Mar" finds who has a first name Ana and a last name that begins with Mar.
        `with_email` adds those whose e-mail does: only for whoever sees addresses unmasked.
        """
        found = (
            Q(username__istartswith=text)
            | Q(external_id__istartswith=text)
            | Q(first_name__istartswith=text)
            | Q(last_name__istartswith=text)
        )
        # Either name may be of several words.
        for first, _space, last in dict.fromkeys((text.partition(" "), text.rpartition(" "))):
            if first and last:
                found |= Q(first_name__iexact=first.strip(), last_name__istartswith=last.strip())
        if with_email:
            found |= Q(email__istartswith=text)
        return self.filter(found)


class UserManager(DjangoUserManager.from_queryset(UserQuerySet)):
    """Django's manager with our reads."""
