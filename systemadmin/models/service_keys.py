"""Service keys: how machines call the API, each by an account of its own."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import TimestampedModel
from systemadmin.querysets.service_keys import ServiceKeyQuerySet


class ServiceKey(TimestampedModel):
    """A key of a machine: what it may is what it was given and its owner may at that moment.

    The key acts as `account`, which nobody signs in with.
    """

    account = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("account"),
        on_delete=models.CASCADE,
        related_name="service_key",
    )
    name = models.CharField(_("name"), max_length=60)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="service_keys",
        help_text=_("Made it, or took it over: the key may never do more than this person."),
    )
    networks = models.JSONField(
        _("addresses"),
        default=list,
        blank=True,
        help_text=_("Addresses and CIDR blocks that the key is accepted from; any when empty."),
    )
    member_scopes = models.JSONField(
        _("member scopes"),
        default=list,
        blank=True,
        help_text=_("What the key may do for members, such as tickets:read or orders:write."),
    )
    rate = models.CharField(
        _("rate"),
        max_length=20,
        blank=True,
        help_text=_("Requests per time, such as 1200/m; the setting's when empty."),
    )
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    last_used_ip = models.GenericIPAddressField(_("last used from"), null=True, blank=True)

    objects = ServiceKeyQuerySet.as_manager()

    personal_fields = ("last_used_ip",)

    class Meta:
        verbose_name = _("service key")
        verbose_name_plural = _("service keys")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(revoked_at__isnull=True),
                name="systemadmin_service_key_name_in_use_once",
                violation_error_message=_("There is a service key of this name."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        """True until it is revoked or expires."""
        return self.revoked_at is None and not self.is_expired

    @property
    def is_expired(self) -> bool:
        """True once its last day is over."""
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def permissions(self) -> list[str]:
        """What the key was given, as `app.codename`."""
        held = self.account.user_permissions.all()
        return sorted(f"{one.content_type.app_label}.{one.codename}" for one in held)


class ServiceKeySecret(models.Model):
    """One secret of a key, of which only the SHA-256 is stored; after a rotation two are valid."""

    key = models.ForeignKey(
        ServiceKey, verbose_name=_("service key"), on_delete=models.CASCADE, related_name="secrets"
    )
    digest = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    hint = models.CharField(
        _("ends with"), max_length=4, help_text=_("The last characters, to find it in a vault.")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    ends_at = models.DateTimeField(
        _("ends at"), null=True, blank=True, help_text=_("Set once a newer one replaces it.")
    )
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)

    class Meta:
        verbose_name = _("secret of a service key")
        verbose_name_plural = _("secrets of service keys")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(ends_at__isnull=True),
                name="systemadmin_service_key_one_newest_secret",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("created_at")),
                name="systemadmin_service_key_secret_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"…{self.hint}"

    @property
    def is_live(self) -> bool:
        """True until a newer one has replaced it and its time is over."""
        return self.ends_at is None or self.ends_at > timezone.now()
