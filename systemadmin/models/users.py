"""One account model for members and staff."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import models as auth
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.single_line import single_line
from systemadmin.querysets.users import UserManager


class User(AbstractUser):
    """A member of the marketplace, or staff when `is_staff`."""

    class Language(models.TextChoices):
        ENGLISH = "en", _("English")
        SPANISH = "es", _("Spanish")

    external_id = models.CharField(
        _("external id"),
        max_length=128,
        null=True,
        blank=True,
        unique=True,
        help_text=_("The platform's own id of this account."),
    )
    telegram_chat_id = models.CharField(_("Telegram chat"), max_length=64, blank=True)
    country = models.CharField(
        _("country"), max_length=2, blank=True, help_text=_("ISO 3166-1 alpha-2 code.")
    )
    language = models.CharField(
        _("language"), max_length=2, choices=Language.choices, default=Language.ENGLISH
    )
    verified_at = models.DateTimeField(_("verified at"), null=True, blank=True)
    suspended_at = models.DateTimeField(_("suspended at"), null=True, blank=True)
    suspension_reason = models.TextField(_("suspension reason"), blank=True)
    suspended_until = models.DateTimeField(_("suspended until"), null=True, blank=True)
    erased_at = models.DateTimeField(_("erased at"), null=True, blank=True, editable=False)
    # Nothing changes it, unlike `date_joined`, which the platform sets: with the id it says whose a
    # row is, also where a restored database gives an id out again.
    registered_at = models.DateTimeField(
        _("registered at"), default=timezone.now, db_default=Now(), editable=False
    )
    is_demo = models.BooleanField(_("demo account"), default=False)
    is_service = models.BooleanField(
        _("service account"),
        default=False,
        editable=False,
        help_text=_("What a service key acts as. Nobody signs in with it."),
    )

    # Masked for staff without `view_personal_data`; see foundation/personal_data.py.
    personal_fields = ("email", "telegram_chat_id")

    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        permissions = [
            ("manage_members", _("Can make and update members for the platform")),
            ("act_for_member", _("Can act for members")),
            ("issue_member_token", _("Can make tokens for a member's own app")),
            ("suspend_user", _("Can suspend and reinstate accounts")),
            ("verify_user", _("Can mark accounts as verified")),
            ("view_personal_data", _("Can see personal data unmasked")),
            ("end_sessions", _("Can end sessions of other accounts")),
            ("set_password", _("Can set the password of other accounts")),
            ("reset_two_factor", _("Can take the second factor off other accounts")),
            ("lift_holds", _("Can lift suspensions and legal holds that others set")),
            ("manage_staff", _("Can suspend and reinstate staff")),
            ("export_account", _("Can export everything about an account")),
            ("erase_account", _("Can erase accounts")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(suspended_at__isnull=False)
                | Q(suspended_until__isnull=True, suspension_reason=""),
                name="systemadmin_user_suspension_needs_a_moment",
                violation_error_message=_("Only a suspended account has a reason or an end."),
            ),
            models.CheckConstraint(
                condition=Q(erased_at__isnull=True) | Q(is_active=False, email=""),
                name="systemadmin_user_erased_stays_closed",
                violation_error_message=_("An erased account stays closed."),
            ),
            models.CheckConstraint(
                condition=Q(is_service=False) | Q(is_superuser=False),
                name="systemadmin_user_no_service_holds_all_rights",
                violation_error_message=_("A service key never holds all rights."),
            ),
        ]
        indexes = [
            # The staff list's newest-first page and the figures by day of joining.
            models.Index(fields=["-date_joined", "-id"], name="user_joined"),
            # Who is suspended now: few rows, asked by the list filter and the figures.
            models.Index(
                fields=["suspended_at"],
                name="user_suspended",
                condition=Q(suspended_at__isnull=False),
            ),
            # The few who work here among the many who do not: choices of agents, notices to staff.
            models.Index(fields=["username"], name="user_staff", condition=Q(is_staff=True)),
            # Purging demo rows, and refusing their sign-in when demo mode is off.
            models.Index(fields=["id"], name="user_demo", condition=Q(is_demo=True)),
        ]

    # Rights that were asked for with this copy of the row and wait for a second person.
    rights_wait: Any = None

    def clean(self) -> None:
        super().clean()
        self.external_id = self.external_id or None
        self.country = self.country.upper()
        self._check_name()

    def _check_name(self) -> None:
        """Refuse a new name that another account has, whatever its capitals: people mistake them.

        Accounts that had such names before keep them.
        """
        own = type(self)._base_manager.filter(pk=self.pk, username=self.username)
        others = User.objects.named([self.username]).exclude(pk=self.pk)
        if not own.exists() and others.exists():
            raise ValidationError({"username": _("Another account has this user name.")})

    @property
    def is_suspended(self) -> bool:
        """True while a suspension is in force."""
        if self.suspended_at is None:
            return False
        return self.suspended_until is None or self.suspended_until > timezone.now()

    @property
    def is_account_verified(self) -> bool:
        """True when the platform or staff verified the person behind the account."""
        return self.verified_at is not None

    def is_in_reach_of(self, actor: "User | None") -> bool:
        """Return True unless this is a superuser and the actor is not, or demo acts on real."""
        if actor is None or actor == self:
            return True
        if actor.is_demo and not self.is_demo:
            return False
        return actor.holds_all_rights or not self.is_superuser

    # -- rights ----------------------------------------------------------------------

    @property
    def is_acting_staff(self) -> bool:
        """True while the account counts as staff; without this no role gives it any right.

        Suspended or inactive staff do not count, nor demo staff outside of demo mode.
        """
        is_open = self.is_active and (settings.DEMO_MODE or not self.is_demo)
        return self.is_staff and is_open and not self.is_suspended

    @property
    def holds_rights(self) -> bool:
        """True for staff, superusers and every account with a role or a permission of its own.

        Also while these do not count (inactive, suspended): whoever gets in would have them later.
        """
        return (
            self.is_staff
            or self.is_superuser
            or (self.pk is not None and (self.groups.exists() or self.user_permissions.exists()))
        )

    @property
    def holds_all_rights(self) -> bool:
        """True for a superuser who counts as staff."""
        return self.is_superuser and self.is_acting_staff

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Return whether the account has a permission now (`AccountBackend` decides)."""
        return self.holds_all_rights or auth._user_has_perm(self, perm, obj)

    def has_perms(self, perm_list: Iterable[str], obj: Any = None) -> bool:
        """Return whether the account has all of these permissions now."""
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        """Return whether the account has any permission in an app now."""
        return self.holds_all_rights or auth._user_has_module_perms(self, app_label)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # A browser session, and a sign-in that waits for its code, end when either changes,
        # however it was changed: what was made as a member must not pass as staff.
        made_as = f"{self.password}|{int(self.is_staff)}{int(self.is_superuser)}"
        salt = "systemadmin.models.User.session"
        return salted_hmac(salt, made_as, secret=secret, algorithm="sha256").hexdigest()

    def is_verified(self) -> bool:
        """Return True when this request passed a second factor (replaced per request on login)."""
        return False

    def get_full_name(self) -> str:
        """Return the name to show; controls in old names would reorder or break what follows."""
        return single_line(super().get_full_name())

    def __str__(self) -> str:
        return self.get_username()

    @property
    def role(self) -> str:
        """The name of the first group: the staff role, or "" for members."""
        group: Any = self.groups.order_by("name").first()
        return group.name if group else ""
