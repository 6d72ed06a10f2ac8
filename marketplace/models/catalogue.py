"""Categories, products and the words by which products are found."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketplace.models.fields import MAX_AMOUNT, PPM, Kind, validate_currency
from marketplace.querysets.catalogue import CategoryQuerySet, ProductQuerySet
from systemadmin.foundation.files import PrivateStorage
from systemadmin.foundation.models import VersionedModel


class Category(VersionedModel):
    """A node of the category tree; `path` lists the ids from the root, as "/1/4/9/"."""

    MAX_DEPTH = 6

    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        verbose_name=_("parent"),
        null=True,
        blank=True,
        related_name="children",
    )
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=140, unique=True)
    path = models.CharField(_("path"), max_length=160, editable=False, default="")
    position = models.PositiveIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)

    objects = CategoryQuerySet.as_manager()

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["position", "name", "id"]
        indexes = [
            # descendants: path LIKE '/1/4/%'
            models.Index(fields=["path"], name="mp_category_path", opclasses=["text_pattern_ops"])
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["parent", "name"],
                name="mp_category_name_once",
                violation_error_message=_("A category of this name exists here already."),
            ),
            # Null parents count as different to the constraint above.
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(parent__isnull=True),
                name="mp_category_root_name_once",
                violation_error_message=_("A category of this name exists here already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def path_ids(self) -> tuple[int, ...]:
        """The ids from the root down to this category."""
        return tuple(int(part) for part in self.path.split("/") if part)


class Product(VersionedModel):
    """Something a seller offers; only approved ones are shown and sold."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PENDING = "pending", _("Waiting for review")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")
        CHANGES_REQUESTED = "changes_requested", _("Changes requested")
        PAUSED = "paused", _("Paused")
        REMOVED = "removed", _("Removed")

    Kind = Kind

    # The platform's own id of a listing that it pushed.
    external_id = models.CharField(
        _("external id"), max_length=128, null=True, blank=True, unique=True
    )
    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("seller"), related_name="products"
    )
    category = models.ForeignKey(
        Category, models.PROTECT, verbose_name=_("category"), related_name="products"
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.PRODUCT)
    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(_("description"), max_length=20_000, blank=True)
    price = models.BigIntegerField(
        _("price (minor units)"),
        validators=[MinValueValidator(1), MaxValueValidator(MAX_AMOUNT)],
    )
    currency = models.CharField(_("currency"), max_length=3, validators=[validate_currency])
    tax_ppm = models.PositiveIntegerField(
        _("sales tax included in the price (parts per million)"),
        default=0,
        validators=[MaxValueValidator(PPM)],
        help_text=_("210000 is 21 %. Price and shipping are what the buyer pays, tax included."),
    )
    shipping_amount = models.BigIntegerField(
        _("shipping per order (minor units)"),
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_AMOUNT)],
    )
    stock = models.IntegerField(
        _("stock"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(10**9)],
        help_text=_("What can still be sold; empty means unlimited."),
    )
    images = models.JSONField(_("images"), default=list, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    status = models.CharField(
        _("status"), max_length=20, choices=Status.choices, default=Status.DRAFT
    )
    status_reason = models.CharField(_("reason"), max_length=2000, blank=True)
    # A seller may not undo a pause that staff decided.
    is_paused_by_staff = models.BooleanField(_("paused by staff"), default=False)
    submitted_at = models.DateTimeField(_("submitted at"), null=True, blank=True)
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    # The place in the public list: the first approval, and never empty, so that an index serves
    # the order.
    listed_at = models.DateTimeField(_("listed at"), default=timezone.now, editable=False)
    # What a moderator last saw and approved: materiality is measured against it, so that many
    # small edits cannot add up to a large one without a review.
    reviewed_content = models.JSONField(
        _("reviewed content"), default=dict, blank=True, editable=False
    )
    checks = models.JSONField(_("automatic checks"), default=list, blank=True, editable=False)

    objects = ProductQuerySet.as_manager()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        permissions = [
            ("moderate_product", _("Can approve, reject and request changes")),
            ("remove_product", _("Can pause and remove products")),
            ("push_product", _("Can send listings of the platform to review")),
        ]
        indexes = [
            # the public list, newest first
            models.Index(
                fields=["-listed_at", "-id"],
                name="mp_product_public",
                condition=Q(status="approved"),
            ),
            # the public list of a category and its descendants
            models.Index(
                fields=["category", "-listed_at", "-id"],
                name="mp_product_category",
                condition=Q(status="approved"),
            ),
            # the public list by price
            models.Index(
                fields=["currency", "price", "id"],
                name="mp_product_price",
                condition=Q(status="approved"),
            ),
            # the seller's own list, and duplicates within a seller
            models.Index(fields=["seller", "-id"], name="mp_product_seller"),
            # the approval queue, oldest first
            models.Index(
                fields=["submitted_at", "id"],
                name="mp_product_queue",
                condition=Q(status="pending"),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(stock__isnull=True) | Q(stock__gte=0),
                name="mp_product_stock_not_negative",
                violation_error_message=_("Stock cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(price__gte=1, price__lte=MAX_AMOUNT)
                & Q(shipping_amount__gte=0, shipping_amount__lte=MAX_AMOUNT),
                name="mp_product_price_positive",
                violation_error_message=_("The price must be positive."),
            ),
            models.CheckConstraint(
                condition=Q(tax_ppm__lte=PPM),
                name="mp_product_tax_within_whole",
                violation_error_message=_("A rate lies between 0 and 1,000,000."),
            ),
            models.CheckConstraint(
                condition=~Q(status="approved") | Q(approved_at__isnull=False),
                name="mp_product_approved_has_moment",
                violation_error_message=_("An approved product has a moment of approval."),
            ),
            models.CheckConstraint(
                condition=~Q(status="pending") | Q(submitted_at__isnull=False),
                name="mp_product_pending_has_moment",
                violation_error_message=_("A product in the queue has a moment of submission."),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_unlimited(self) -> bool:
        """Whether there is no count of what can be sold."""
        return self.stock is None


class ProductImage(models.Model):
    """An uploaded picture; the products and revisions that show it name it by its address."""

    product = models.ForeignKey(
        Product, models.CASCADE, verbose_name=_("product"), related_name="uploads"
    )
    # Unguessable, so that an address tells nothing about how many pictures there are.
    key = models.CharField(_("key"), max_length=32, unique=True, editable=False)
    # Private: a picture of a draft must not leave by a web server that asks no questions.
    file = models.FileField(
        _("file"), storage=PrivateStorage, upload_to="products/%Y/%m", max_length=200
    )
    name = models.CharField(_("name"), max_length=140)
    content_type = models.CharField(_("content type"), max_length=40)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("product image")
        verbose_name_plural = _("product images")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """What stands in `Product.images`."""
        return f"/api/products/{self.product_id}/images/{self.key}"


class ProductWord(models.Model):
    """A word of a product's title or attributes, folded; the same search on every database."""

    product = models.ForeignKey(
        Product, models.CASCADE, verbose_name=_("product"), related_name="words"
    )
    word = models.CharField(_("word"), max_length=40)

    class Meta:
        verbose_name = _("product word")
        verbose_name_plural = _("product words")
        constraints = [
            models.UniqueConstraint(fields=["product", "word"], name="mp_word_once"),
        ]
        indexes = [
            # search: word LIKE 'lamp%'
            models.Index(
                fields=["word", "product"],
                name="mp_word_prefix",
                opclasses=["text_pattern_ops", "int8_ops"],
            )
        ]

    def __str__(self) -> str:
        return self.word
