"""Who is behind which account: dealings, related accounts, clusters and lists of addresses."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from riskops.links.querysets import AccountClusterQuerySet, IpRangeQuerySet, RelatedAccountQuerySet
from riskops.models.identifiers import Identifier
from systemadmin.foundation.models import TimestampedModel, VersionedModel
from systemadmin.models import User


class LinkStatus(models.TextChoices):
    SUSPECTED = "suspected", _("Suspected")
    CONFIRMED = "confirmed", _("Confirmed")
    DISMISSED = "dismissed", _("Dismissed")


class Dealing(models.Model):
    """An account moved money to or from a wallet: when first, when last, how often."""

    identifier = models.ForeignKey(
        Identifier,
        on_delete=models.CASCADE,
        related_name="dealings",
        db_index=False,  # the unique constraint serves it
        verbose_name=_("wallet"),
    )
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="dealings",
        verbose_name=_("account"),
    )
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    hits = models.PositiveIntegerField(_("hits"), default=0)

    class Meta:
        verbose_name = _("dealing")
        verbose_name_plural = _("dealings")
        constraints = [
            models.UniqueConstraint(
                fields=["identifier", "account"],
                name="riskops_dealing_identifier_account",
                violation_error_message=_("This account is already noted for the wallet."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identifier_id} / {self.account_id}"


class OutsideDealing(models.Model):
    """A wallet dealt with one that belongs to no account: what tells an exchange from a ring's."""

    identifier = models.ForeignKey(
        Identifier,
        on_delete=models.CASCADE,
        related_name="outside_dealings",
        db_index=False,  # the unique constraint serves it
        verbose_name=_("wallet"),
    )
    other = models.ForeignKey(
        Identifier,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("outside wallet"),
    )

    class Meta:
        verbose_name = _("outside dealing")
        verbose_name_plural = _("outside dealings")
        constraints = [
            models.UniqueConstraint(
                fields=["identifier", "other"],
                name="riskops_outsidedealing_pair",
                violation_error_message=_("These wallets are already noted."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identifier_id} / {self.other_id}"


class PendingLink(models.Model):
    """An account that was seen with something new since links were last looked for."""

    account = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="+",
        verbose_name=_("account"),
    )
    touches = models.PositiveIntegerField(_("touches"), default=1)

    class Meta:
        verbose_name = _("account waiting for its links")
        verbose_name_plural = _("accounts waiting for their links")

    def __str__(self) -> str:
        return str(self.account_id)


class RelatedAccount(VersionedModel):
    """Two accounts that may have one owner, the evidence, and what staff think of it."""

    low = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="links_up",
        db_index=False,  # the unique constraint serves it
        verbose_name=_("account"),
    )
    high = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="links_down",
        verbose_name=_("account"),
    )
    status = models.CharField(
        _("status"), max_length=9, choices=LinkStatus, default=LinkStatus.SUSPECTED
    )
    bits = models.FloatField(_("bits"), default=0.0)
    probability = models.FloatField(_("probability"), default=0.0)
    strength = models.PositiveSmallIntegerField(_("strength"), default=0)
    may_merge = models.BooleanField(
        _("may join clusters"),
        default=False,
        help_text=_("It rests on one exclusive identifier or on two independent ones."),
    )
    # One bit a kind of evidence, in the order of riskops.links.rules.KINDS.
    kinds = models.PositiveSmallIntegerField(_("kinds"), default=0)
    # [[kind, identifier, accounts behind it, bits, days between, hits], …], strongest first
    evidence = models.JSONField(_("evidence"), default=list, blank=True)
    # Of all that was calculated, to tell a pair that changed; 0 is calculated anew.
    digest = models.BigIntegerField(_("digest"), default=0, editable=False)
    # What the pair shared when it was dismissed: only something new brings it back.
    dismissed_with = models.JSONField(_("shared when dismissed"), default=list, blank=True)
    note = models.TextField(_("note"), max_length=1000, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("verdict ends"), null=True, blank=True)
    calculated_at = models.DateTimeField(_("calculated at"), default=timezone.now)

    objects = RelatedAccountQuerySet.as_manager()

    class Meta:
        verbose_name = _("related accounts")
        verbose_name_plural = _("related accounts")
        constraints = [
            models.UniqueConstraint(
                fields=["low", "high"],
                name="riskops_related_pair",
                violation_error_message=_("This pair is already known."),
            ),
            models.CheckConstraint(
                condition=Q(low__lt=F("high")),
                name="riskops_related_in_order",
                violation_error_message=_("A pair names the lower account first."),
            ),
            models.CheckConstraint(
                condition=Q(status=LinkStatus.SUSPECTED) | Q(decided_at__isnull=False),
                name="riskops_related_verdict_has_a_moment",
                violation_error_message=_("A verdict needs its moment."),
            ),
        ]
        indexes = [
            # Admin list: strongest first.
            models.Index(fields=["-strength", "-id"], name="riskops_related_strength"),
            # Verdicts: guilt by confirmed link, verdicts that end.
            models.Index(
                fields=["status", "expires_at"],
                condition=~Q(status=LinkStatus.SUSPECTED),
                name="riskops_related_verdicts",
            ),
        ]
        permissions = [("judge_relatedaccount", _("Can confirm or dismiss related accounts"))]

    def __str__(self) -> str:
        return f"{self.low_id} – {self.high_id} ({self.strength})"


class LinkCalibration(models.Model):
    """What raw bits of each kind of evidence are worth, as learnt from verdicts."""

    curves = models.JSONField(_("curves"))  # {kind of evidence: [[raw bits, bits], …]}
    pairs = models.JSONField(_("judged pairs"))  # {kind of evidence: pairs learnt from}
    error_before = models.FloatField(
        _("error before"), help_text=_("Calibration error on the pairs held out.")
    )
    error_after = models.FloatField(_("error after"))
    is_active = models.BooleanField(_("in force"), default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("learnt by"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    class Meta:
        verbose_name = _("calibration of links")
        verbose_name_plural = _("calibrations of links")
        constraints = [
            models.UniqueConstraint(
                fields=["is_active"],
                condition=Q(is_active=True),
                name="riskops_one_link_calibration_in_force",
                violation_error_message=_("Another calibration is in force."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M}"


class AccountCluster(VersionedModel):
    """A group of accounts that probably have one owner, found again at each detection."""

    status = models.CharField(
        _("status"), max_length=9, choices=LinkStatus, default=LinkStatus.SUSPECTED
    )
    size = models.PositiveIntegerField(_("accounts"), default=0)
    strength = models.PositiveSmallIntegerField(
        _("weakest link"), default=0, help_text=_("Strength of the weakest link that joined it.")
    )
    note = models.TextField(_("note"), max_length=1000, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    # [[device, accounts of the cluster on it], …]: what a ring shares
    hubs = models.JSONField(_("shared devices"), default=list, blank=True)
    # [[account here, account elsewhere, strength, why the two groups stay apart], …]
    bridges = models.JSONField(_("refused merges"), default=list, blank=True)

    objects = AccountClusterQuerySet.as_manager()

    class Meta:
        verbose_name = _("cluster of accounts")
        verbose_name_plural = _("clusters of accounts")
        indexes = [
            # Admin list: largest first.
            models.Index(fields=["-size", "-id"], name="riskops_cluster_size"),
        ]
        permissions = [
            ("judge_accountcluster", _("Can confirm or dismiss a cluster")),
            ("suspend_accountcluster", _("Can suspend every account of a cluster")),
        ]

    def __str__(self) -> str:
        return str(_("Cluster #%(id)s: %(size)s accounts")) % {"id": self.pk, "size": self.size}


class ClusterMember(models.Model):
    """The cluster an account is in, if any."""

    account = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="cluster_membership",
        verbose_name=_("account"),
    )
    cluster = models.ForeignKey(
        AccountCluster,
        on_delete=models.CASCADE,
        related_name="members",
        verbose_name=_("cluster"),
    )

    class Meta:
        verbose_name = _("member of a cluster")
        verbose_name_plural = _("members of clusters")

    def __str__(self) -> str:
        return f"{self.account_id} in {self.cluster_id}"


class IpCategory(models.TextChoices):
    PROXY = "proxy", _("Proxy")
    VPN = "vpn", _("VPN")
    TOR = "tor", _("Tor exit")
    HOSTING = "hosting", _("Hosting")
    CAMPUS = "campus", _("Campus or other public place")


class IpRange(TimestampedModel):
    """Addresses on a list: who uses them says little about who they are."""

    cidr = models.CharField(_("range"), max_length=64)
    # Both ends as 32 hexadecimal digits (IPv4 mapped into IPv6): they compare as text.
    first = models.CharField(_("first address"), max_length=32)
    last = models.CharField(_("last address"), max_length=32)
    category = models.CharField(_("category"), max_length=8, choices=IpCategory)
    source = models.CharField(_("list"), max_length=64)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)

    objects = IpRangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("listed addresses")
        verbose_name_plural = _("listed addresses")
        constraints = [
            models.UniqueConstraint(
                fields=["source", "category", "cidr"],
                name="riskops_iprange_once_a_list",
                violation_error_message=_("This range is already on the list."),
            ),
        ]
        indexes = [
            # Which lists hold an address: ranges that start at or before it.
            models.Index(fields=["first", "last"], name="riskops_iprange_first"),
        ]
        permissions = [("import_iprange", _("Can import lists of addresses"))]

    def __str__(self) -> str:
        return f"{self.cidr} ({self.get_category_display()})"


class AccountNote(models.Model):
    """What staff wrote down about an account."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="risk_notes",
        verbose_name=_("account"),
    )
    body = models.TextField(_("note"), max_length=4000)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("author"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    class Meta:
        verbose_name = _("note about an account")
        verbose_name_plural = _("notes about accounts")
        indexes = [
            # The notes of one account, newest first.
            models.Index(fields=["account", "-id"], name="riskops_note_account"),
        ]

    def __str__(self) -> str:
        return self.body[:60]


class Account(User):
    """A member or staff as the risk desk looks at them: its page gathers everything known."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
