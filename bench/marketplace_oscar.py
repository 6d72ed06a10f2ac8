"""Measures django-oscar's catalogue at the size of `bench/marketplace.py`, for comparison.

    python -m venv /tmp/oscar
    /tmp/oscar/bin/pip install django-oscar==4.2.1 sorl-thumbnail 'psycopg[binary]'
    DATABASE_URL=postgres://…/oscar /tmp/oscar/bin/python bench/marketplace_oscar.py

Needs an environment and an empty PostgreSQL database of its own. What is measured is oscar's
public browse view (haystack's simple engine, which needs no search server), its category view and
its product page, as it ships. A page that oscar sends away from is halved until it shows it.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from urllib.parse import urlsplit

import django
from django.conf import settings

url = urlsplit(os.environ["DATABASE_URL"])


def media_with_the_missing_image(name):
    """Make a folder with the picture that oscar shows of a product without one, as its set-up does.

    Without it sorl-thumbnail logs a traceback for every product page, which is not oscar's work.
    """
    from PIL import Image

    folder = tempfile.mkdtemp(prefix="oscar-media-")
    Image.new("RGB", (640, 640), "grey").save(os.path.join(folder, name))
    return folder


OSCAR_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sites",
    "django.contrib.staticfiles",
    "django.contrib.flatpages",
    "oscar.config.Shop",
    "oscar.apps.analytics.apps.AnalyticsConfig",
    "oscar.apps.checkout.apps.CheckoutConfig",
    "oscar.apps.address.apps.AddressConfig",
    "oscar.apps.shipping.apps.ShippingConfig",
    "oscar.apps.catalogue.apps.CatalogueConfig",
    "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
    "oscar.apps.communication.apps.CommunicationConfig",
    "oscar.apps.partner.apps.PartnerConfig",
    "oscar.apps.basket.apps.BasketConfig",
    "oscar.apps.payment.apps.PaymentConfig",
    "oscar.apps.offer.apps.OfferConfig",
    "oscar.apps.order.apps.OrderConfig",
    "oscar.apps.customer.apps.CustomerConfig",
    "oscar.apps.search.apps.SearchConfig",
    "oscar.apps.voucher.apps.VoucherConfig",
    "oscar.apps.wishlists.apps.WishlistsConfig",
    "oscar.apps.dashboard.apps.DashboardConfig",
    "oscar.apps.dashboard.reports.apps.ReportsDashboardConfig",
    "oscar.apps.dashboard.users.apps.UsersDashboardConfig",
    "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
    "oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig",
    "oscar.apps.dashboard.offers.apps.OffersDashboardConfig",
    "oscar.apps.dashboard.partners.apps.PartnersDashboardConfig",
    "oscar.apps.dashboard.pages.apps.PagesDashboardConfig",
    "oscar.apps.dashboard.ranges.apps.RangesDashboardConfig",
    "oscar.apps.dashboard.reviews.apps.ReviewsDashboardConfig",
    "oscar.apps.dashboard.vouchers.apps.VouchersDashboardConfig",
    "oscar.apps.dashboard.communications.apps.CommunicationsDashboardConfig",
    "oscar.apps.dashboard.shipping.apps.ShippingDashboardConfig",
    "widget_tweaks",
    "haystack",
    "treebeard",
    "sorl.thumbnail",
    "django_tables2",
]

OSCAR_MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
]

OSCAR_TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "oscar.apps.search.context_processors.search_form",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.apps.communication.notifications.context_processors.notifications",
                "oscar.core.context_processors.metadata",
            ]
        },
    }
]


def database():
    """Return Django's settings of the database that DATABASE_URL names."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": url.username,
        "PASSWORD": url.password or "",
        "HOST": url.hostname,
        "PORT": url.port or 5432,
        "CONN_MAX_AGE": 600,
    }


def setup():
    """Configure Django with oscar's apps and defaults."""
    from oscar import defaults

    values = {name: getattr(defaults, name) for name in dir(defaults) if name.startswith("OSCAR")}
    settings.configure(
        **values,
        SECRET_KEY="bench",
        ALLOWED_HOSTS=["*"],
        SITE_ID=1,
        ROOT_URLCONF="oscar_bench_urls",
        USE_TZ=True,
        STATIC_URL="/static/",
        MEDIA_URL="/media/",
        MEDIA_ROOT=media_with_the_missing_image(values["OSCAR_MISSING_IMAGE_URL"]),
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=OSCAR_APPS,
        HAYSTACK_CONNECTIONS={
            "default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}
        },
        AUTHENTICATION_BACKENDS=["oscar.apps.customer.auth_backends.EmailBackend"],
        MIDDLEWARE=OSCAR_MIDDLEWARE,
        TEMPLATES=OSCAR_TEMPLATES,
        DATABASES={"default": database()},
    )
    import types

    urls = types.ModuleType("oscar_bench_urls")
    sys.modules["oscar_bench_urls"] = urls
    django.setup()
    from django.apps import apps as registry
    from django.urls import include, path

    urls.urlpatterns = [
        path("i18n/", include("django.conf.urls.i18n")),
        path("", include(registry.get_app_config("oscar").urls[0])),
    ]


def fill(products):
    """One class, one partner, 200 categories, products with price and stock."""
    from django.db import connection
    from oscar.apps.catalogue.models import Category, ProductClass
    from oscar.apps.partner.models import Partner

    kind = ProductClass.objects.create(name="Bench", track_stock=True)
    partner = Partner.objects.create(name="Bench")
    for number in range(200):
        Category.add_root(name=f"Bench {number}")
    category = Category.objects.order_by("id").first().pk
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "INSERT INTO catalogue_product (structure, is_public, upc, title, slug, description,"
            " meta_title, meta_description, product_class_id, is_discountable, date_created,"
            " date_updated, code, priority) SELECT 'standalone', true, 'u' || n, 'Olive lamp item'"
            " || n, 'olive-lamp-' || n, 'Made with care.', '', '', %s, true,"
            " now() - n * interval '20 seconds', now(), 'c' || n, 0"
            " FROM generate_series(1, %s) n",
            [kind.pk, products],
        )
        cursor.execute(
            "INSERT INTO catalogue_productcategory (product_id, category_id)"
            " SELECT id, %s + (id * 31) %% 200 FROM catalogue_product",
            [category],
        )
        cursor.execute(
            "INSERT INTO partner_stockrecord (product_id, partner_id, partner_sku,"
            " price_currency, price, num_in_stock, date_created, date_updated)"
            " SELECT id, %s, 'sku' || id, 'EUR', 20, 1000, now(), now() FROM catalogue_product",
            [partner.pk],
        )
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")


def deepest(client, page):
    """Return the deepest page at or above the wanted one that the browse view shows."""
    while page > 1 and client.get(f"/catalogue/?page={page}").status_code != 200:
        page //= 2
    return page


def measure(label, call, most, seconds=60):
    """Call, `most` times or as long as it takes, and print p50 and p99 in milliseconds."""
    call()
    taken, ends = [], time.perf_counter() + seconds
    while len(taken) < most and (not taken or time.perf_counter() < ends):
        began = time.perf_counter()
        answer = call()
        assert answer.status_code == 200, answer
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    print(
        f"{label:<46} p50 {statistics.median(taken):8.2f} ms"
        f"   p99 {taken[int((len(taken) - 1) * 0.99)]:8.2f} ms   ({len(taken)} calls)",
        flush=True,
    )


def main():
    """Fill when empty and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1_000_000)
    options = parser.parse_args()
    setup()
    from django.core.management import call_command
    from django.test import Client
    from oscar.apps.catalogue.models import Category, Product

    call_command("migrate", verbosity=0)
    if not Product.objects.exists():
        fill(options.products)
    print(f"django-oscar: {Product.objects.count():,} products")
    client = Client()
    category = Category.objects.order_by("id")[7]
    product = Product.objects.order_by("id")[options.products // 2]
    measure("browse, first page (20 products)", lambda: client.get("/catalogue/"), 50)
    deep = deepest(client, options.products // 2 // 20)
    measure(f"browse, page {deep}", lambda: client.get(f"/catalogue/?page={deep}"), 50)
    measure("category page", lambda: client.get(category.get_absolute_url()), 50)
    measure("product page", lambda: client.get(product.get_absolute_url()), 50)


if __name__ == "__main__":
    main()
