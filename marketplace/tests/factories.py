"""Products, rules and orders for tests, made through the services."""

import itertools
from typing import Any

from marketplace import services
from marketplace.models import Category, CommissionRule, Order, Product
from marketplace.services.order_creation import Item
from systemadmin.models import User
from systemadmin.tests.factories import StaffFactory, UserFactory

_numbers = itertools.count(1)


def root() -> User:
    """A superuser to act for tests that do not care who."""
    found = User.objects.filter(username="mp-root").first()
    return found or StaffFactory(username="mp-root", is_superuser=True)


def category(name: str = "", parent: Category | None = None) -> Category:
    """A category."""
    return services.create_category(
        actor=root(), name=name or f"Category {next(_numbers)}", parent=parent
    )


def draft(seller: User | None = None, **content: Any) -> Product:
    """A draft product."""
    seller = seller or UserFactory()
    values: dict[str, Any] = {
        "title": f"Lamp of olive wood {next(_numbers)}",
        "description": "Turned by hand.",
        "price": 20_00,
        "currency": "EUR",
        "stock": 10,
        **content,
    }
    values.setdefault("category", Category.objects.first() or category("Home"))
    return services.create_product(actor=seller, seller=seller, **values)


def approved(seller: User | None = None, **content: Any) -> Product:
    """A product on sale."""
    product = draft(seller, **content)
    product = services.submit_product(actor=product.seller, product=product)
    return services.approve_product(actor=root(), product=product)


def rule(**values: Any) -> CommissionRule:
    """A rule; matches everything unless told otherwise."""
    limits = {
        "categories",
        "sellers",
        "products",
        "kinds",
        "currency",
        "value_from",
        "value_below",
    }
    values.setdefault("applies_to_all", not limits & values.keys())
    values.setdefault("name", f"Rule {next(_numbers)}")
    return services.create_rule(actor=None, **values)


def order(product: Product | None = None, buyer: User | None = None, quantity: int = 1) -> Order:
    """A reserved order."""
    product = product or approved()
    buyer = buyer or UserFactory()
    return services.create_order(actor=buyer, buyer=buyer, items=[Item(product.pk, quantity)])


def paid(product: Product | None = None, **kwargs: Any) -> Order:
    """A paid order."""
    return services.pay_order(actor=root(), order=order(product, **kwargs))


def completed(product: Product | None = None, **kwargs: Any) -> Order:
    """A completed order."""
    return services.complete_order(actor=root(), order=paid(product, **kwargs))
