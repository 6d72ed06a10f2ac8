"""Identifiers (IP, device, wallet) and which accounts were seen with them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from riskops import masking
from riskops.ingest.querysets import IdentifierQuerySet, SightingQuerySet
from systemadmin.foundation.models import TimestampedModel


class IdentifierKind(models.TextChoices):
    IP = "ip", _("IP address")
    DEVICE = "device", _("Device")
    WALLET = "wallet", _("Wallet")


class Listing(models.TextChoices):
    """What a public list says about an IP address."""

    NONE = "", _("Not listed")
    PROXY = "proxy", _("Proxy")
    VPN = "vpn", _("VPN")
    TOR = "tor", _("Tor exit")
    HOSTING = "hosting", _("Hosting")


class Identifier(TimestampedModel):
    """Something that can give an account away: one row for each kind and value."""

    kind = models.CharField(_("kind"), max_length=8, choices=IdentifierKind)
    value = models.CharField(_("value"), max_length=128)
    # The /24 (IPv4) or /64 (IPv6) an IP address lies in; empty for other kinds.
    subnet = models.CharField(_("subnet"), max_length=48, blank=True)
    accounts = models.PositiveIntegerField(
        _("accounts"), default=0, help_text=_("Distinct accounts seen with it.")
    )
    dealers = models.PositiveIntegerField(
        _("dealers"), default=0, help_text=_("Distinct accounts that dealt with this wallet.")
    )
    # With an account of its own: a counterparty's wallet may never be.
    first_seen = models.DateTimeField(_("first seen"), null=True, blank=True)
    last_seen = models.DateTimeField(_("last seen"), null=True, blank=True)
    listing = models.CharField(_("listing"), max_length=8, choices=Listing, blank=True)
    is_shared = models.BooleanField(
        _("shared"), default=False, help_text=_("A public place: links nobody.")
    )
    shared_reason = models.CharField(_("reason"), max_length=200, blank=True)
    shared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("shared by"),
    )

    # Masked for staff without `view_personal_data`; see foundation/personal_data.py.
    personal_fields = ("value", "subnet")

    objects = IdentifierQuerySet.as_manager()

    class Meta:
        verbose_name = _("identifier")
        verbose_name_plural = _("identifiers")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "value"],
                name="riskops_identifier_kind_value",
                violation_error_message=_("This identifier is already known."),
            ),
            models.CheckConstraint(
                condition=Q(is_shared=False) | ~Q(shared_reason=""),
                name="riskops_identifier_shared_says_why",
                violation_error_message=_("A shared identifier needs a reason."),
            ),
        ]
        indexes = [
            # Accounts behind the same subnet (related accounts).
            models.Index(
                fields=["subnet"], condition=~Q(subnet=""), name="riskops_identifier_subnet"
            ),
            # Search by the beginning of a value: an index in the order of a language is no help.
            models.Index(
                fields=["kind", "value"],
                name="riskops_identifier_begins",
                opclasses=["text_pattern_ops", "text_pattern_ops"],
            ),
            # The factor proxy_ip: the few addresses that are on a list.
            models.Index(
                fields=["listing"], condition=~Q(listing=""), name="riskops_identifier_listing"
            ),
            # Admin list: most crowded first.
            models.Index(fields=["-accounts", "-id"], name="riskops_identifier_accounts"),
        ]
        permissions = [("share_identifier", _("Can mark an identifier as shared"))]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.masked}"

    @property
    def masked(self) -> str:
        """Enough to talk about it, not enough to find a person."""
        return masking.masked(self.kind, self.value, self.pk)


class Sighting(models.Model):
    """An account was seen with an identifier: when first, when last, how often."""

    identifier = models.ForeignKey(
        Identifier,
        on_delete=models.CASCADE,
        related_name="sightings",
        db_index=False,  # the unique constraint serves it
        verbose_name=_("identifier"),
    )
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="sightings",
        verbose_name=_("account"),
    )
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    hits = models.PositiveIntegerField(_("hits"), default=0)

    objects = SightingQuerySet.as_manager()

    class Meta:
        verbose_name = _("sighting")
        verbose_name_plural = _("sightings")
        constraints = [
            models.UniqueConstraint(
                fields=["identifier", "account"],
                name="riskops_sighting_identifier_account",
                violation_error_message=_("This account is already noted for the identifier."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identifier_id} / {self.account_id}"
