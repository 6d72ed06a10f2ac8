"""Demo goods and half a year of sales, refunds, disputes and payouts, through the services."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from marketplace.models import (
    Category,
    CommissionCharge,
    CommissionLine,
    CommissionRule,
    CommissionRuleVersion,
    Dispute,
    DisputeMessage,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Order,
    OrderLine,
    Payout,
    PayoutCharge,
    PayoutItem,
    Product,
    ProductReview,
    ProductRevision,
    ProductWord,
    ReasonTemplate,
    Refund,
    RefundLine,
    SellerProfile,
)
from marketplace.services import (
    approve_product,
    clock,
    complete_order,
    create_category,
    create_order,
    create_payout,
    create_product,
    create_rule,
    fail_payout,
    open_dispute,
    pay_order,
    pay_payout,
    refund_order,
    reject_product,
    request_product_changes,
    resolve_dispute,
    save_reason_template,
    submit_product,
    update_product,
)
from marketplace.services.order_creation import Item
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.plugins import DemoWorld

PREFIX = "demo-"
# Configuration: what a real order or product uses stays when the demo is removed.
SHARED = [Category, CommissionRule, CommissionRuleVersion, ReasonTemplate]
DAYS = 180
PRODUCTS, ORDERS = 60, 160
TREE = {
    "Hogar": ["Lámparas", "Cerámica", "Textiles"],
    "Tecnología": ["Teléfonos", "Informática"],
    "Servicios": ["Clases", "Reparaciones"],
}
GOODS = {
    "Lámparas": ["Lámpara de olivo", "Lámpara de pie de nogal", "Farol de hierro"],
    "Cerámica": ["Cuenco esmaltado", "Juego de tazas", "Jarrón azul"],
    "Textiles": ["Manta de lana", "Cojín bordado", "Alfombra de esparto"],
    "Teléfonos": ["Teléfono reacondicionado", "Funda de cuero", "Cargador rápido"],
    "Informática": ["Teclado mecánico", "Monitor de 27 pulgadas", "Soporte de portátil"],
    "Clases": ["Clase de guitarra", "Clase de alemán"],
    "Reparaciones": ["Reparación de bicicleta", "Arreglo de pantalla"],
}
REASONS = [
    ("photos", "request_changes", "Fotos borrosas", "Añade fotos nítidas del artículo."),
    ("copy", "reject", "Copia de una marca", "No se admiten copias de marcas registradas."),
    ("unsafe", "remove", "Retirada por seguridad", "El fabricante ha retirado este artículo."),
]


def seed(world: DemoWorld) -> None:
    """Set a small shop street up and let it trade for half a year."""
    if len(world.members) < 4:
        return
    moderator = world.staff["marketplace_moderator"]
    leaves = _categories(moderator)
    _rules(world.staff["operator"], leaves)
    for code, action, title, body in REASONS:
        save_reason_template(
            actor=moderator, code=PREFIX + code, action=action, title=title, body=body
        )
    sellers = world.members[: max(2, len(world.members) // 3)]
    products = [_product(world, moderator, leaves, sellers) for _index in range(PRODUCTS)]
    on_sale = [product for product in products if product.status == Product.Status.APPROVED]
    for days_ago in sorted((world.rng.randrange(1, DAYS) for _ in range(ORDERS)), reverse=True):
        _order(world, on_sale, days_ago)
    _payouts(world, sellers)
    _edits(on_sale[:4])


def _categories(actor: Any) -> dict[str, Category]:
    leaves = {}
    for position, (name, children) in enumerate(TREE.items()):
        top = create_category(
            actor=actor, name=f"{name} (demo)", slug=f"{PREFIX}{position}", position=position
        )
        for number, child in enumerate(children):
            leaves[child] = create_category(
                actor=actor, name=child, slug=f"{PREFIX}{position}-{number}", parent=top
            )
    return leaves


def _rules(actor: Any, leaves: dict[str, Category]) -> None:
    create_rule(
        actor=actor,
        name="Demo: clases y reparaciones",
        categories=[leaves["Clases"], leaves["Reparaciones"]],
        ppm=80_000,
        tax_ppm=210_000,
    )
    create_rule(
        actor=actor,
        name="Demo: tecnología por tramos",
        categories=[leaves["Teléfonos"], leaves["Informática"]],
        currency="EUR",
        tiers=[[0, 120_000], [100_00, 60_000]],
        minimum=50,
        tax_ppm=210_000,
    )
    create_rule(
        actor=actor, name="Demo: todo lo demás", applies_to_all=True, ppm=100_000, tax_ppm=210_000
    )


def _product(
    world: DemoWorld, moderator: Any, leaves: dict[str, Category], sellers: list[Any]
) -> Product:
    rng = world.rng
    leaf = rng.choice(list(leaves))
    seller = rng.choice(sellers)
    is_service = leaf in ("Clases", "Reparaciones")
    moment = world.now - timedelta(days=DAYS + rng.randrange(1, 60))
    with clock.frozen_at(moment):
        product = create_product(
            actor=seller,
            seller=seller,
            category=leaves[leaf],
            kind="service" if is_service else "product",
            title=f"{rng.choice(GOODS[leaf])} n.º {rng.randrange(10, 999)}",
            description="Hecho con cuidado. Se envía en dos días o se acuerda la hora.",
            price=rng.randrange(8, 240) * 100 + rng.choice([0, 50, 99]),
            currency="EUR",
            shipping_amount=0 if is_service else rng.choice([0, 3_90, 4_95]),
            stock=None if is_service else rng.randrange(20, 80),
            attributes={"origen": rng.choice(["Jaén", "Granada", "Lugo", "Berlín"])},
        )
    fate = rng.choices(["approved", "pending", "rejected", "changes", "draft"], [40, 8, 4, 4, 4])[0]
    if fate == "draft":
        return product
    waiting = world.now - timedelta(hours=rng.randrange(1, 90))
    with clock.frozen_at(waiting if fate == "pending" else moment + timedelta(hours=3)):
        product = submit_product(actor=seller, product=product)
    with clock.frozen_at(moment + timedelta(hours=9)):
        if fate == "approved":
            product = approve_product(actor=moderator, product=product)
        elif fate == "rejected":
            product = reject_product(actor=moderator, product=product, reason=REASONS[1][3])
        elif fate == "changes":
            product = request_product_changes(
                actor=moderator, product=product, reason=REASONS[0][3]
            )
    return product


@transaction.atomic
def _order(world: DemoWorld, on_sale: list[Product], days_ago: int) -> None:
    rng, operator = world.rng, world.staff["operator"]
    product = rng.choice(on_sale)
    buyer = rng.choice([one for one in world.members if one.pk != product.seller_id])
    moment = world.now - timedelta(days=days_ago, hours=rng.randrange(24))
    try:
        with clock.frozen_at(moment):
            order = create_order(
                actor=buyer, buyer=buyer, items=[Item(product.pk, rng.choice([1, 1, 1, 2]))]
            )
    except DomainError:
        return
    Order.objects.filter(pk=order.pk).update(created_at=moment)
    if rng.random() < 0.08:
        return
    with clock.frozen_at(moment + timedelta(minutes=4)):
        fee = order.total * 15 // 1000
        order = pay_order(
            actor=operator, order=order, reference=f"demo-{order.pk}", processing_fee=fee
        )
    if days_ago < 4:
        return
    _ending(world, order, moment + timedelta(days=3))


def _ending(world: DemoWorld, order: Order, moment: Any) -> None:
    rng, operator = world.rng, world.staff["operator"]
    ending = rng.choices(["done", "part", "full", "dispute", "open"], [80, 6, 4, 6, 4])[0]
    with clock.frozen_at(moment):
        if ending != "full":
            order = complete_order(actor=order.buyer, order=order, as_member=True)
        if ending == "part":
            refund_order(actor=operator, order=order, amount=order.total // 4, reason="Rasguño")
        if ending == "full":
            refund_order(actor=operator, order=order, reason="No llegó")
        if ending in ("dispute", "open"):
            dispute = open_dispute(
                actor=order.buyer,
                order=order,
                reason=rng.choice(["not_received", "not_as_described", "damaged"]),
                body="No es lo que compré. Adjunto la conversación con el vendedor.",
            )
    if ending == "dispute":
        with clock.frozen_at(moment + timedelta(days=1)):
            resolve_dispute(
                actor=world.staff["marketplace_moderator"],
                dispute=dispute,
                in_favour_of=rng.choice(["buyer", "seller"]),
                note="Visto el intercambio de mensajes.",
            )


def _payouts(world: DemoWorld, sellers: list[Any]) -> None:
    operator = world.staff["operator"]
    for number, seller in enumerate(sellers):
        try:
            payout = create_payout(actor=operator, seller=seller, currency="EUR")
        except DomainError:
            continue
        if number % 4 == 3:
            fail_payout(actor=operator, payout=payout, reason="IBAN rechazado por el banco")
        elif number % 4 != 2:
            pay_payout(actor=operator, payout=payout, reference=f"SEPA-{payout.pk}")


def _edits(products: list[Product]) -> None:
    for product in products:
        product.refresh_from_db()
        update_product(
            actor=product.seller,
            product=product,
            price=product.price * 2,
            description=f"{product.description} Ahora en nogal macizo, con enchufe europeo.",
        )


def purge_queryset_list() -> list[tuple[str, QuerySet]]:
    """Return everything that hangs on demo accounts, what depends on others first."""
    orders = Order.objects.filter(Q(buyer__is_demo=True) & Q(seller__is_demo=True))
    products = Product.objects.filter(seller__is_demo=True)
    rules = CommissionRule.objects.filter(name__startswith="Demo: ")
    payouts = Payout.objects.filter(seller__is_demo=True)
    refunds = Refund.objects.filter(order__in=orders)
    disputes = Dispute.objects.filter(order__in=orders)
    return [
        ("payout items", PayoutItem.objects.filter(payout__in=payouts)),
        ("ledger entries", LedgerEntry.objects.filter(is_demo=True)),
        ("ledger transactions", LedgerTransaction.objects.filter(is_demo=True)),
        ("ledger accounts", LedgerAccount.objects.filter(seller__is_demo=True)),
        ("fees of payouts", PayoutCharge.objects.filter(payout__in=payouts)),
        ("payouts", payouts),
        ("dispute messages", DisputeMessage.objects.filter(dispute__in=disputes)),
        ("disputes", disputes),
        ("refund lines", RefundLine.objects.filter(refund__in=refunds)),
        ("refunds", refunds),
        ("fees of order lines", CommissionCharge.objects.filter(line__order__in=orders)),
        ("commission lines", CommissionLine.objects.filter(line__order__in=orders)),
        ("order lines", OrderLine.objects.filter(order__in=orders)),
        ("orders", orders),
        ("reviews", ProductReview.objects.filter(product__in=products)),
        ("revisions", ProductRevision.objects.filter(product__in=products)),
        ("words", ProductWord.objects.filter(product__in=products)),
        ("products", products),
        ("seller profiles", SellerProfile.objects.filter(user__is_demo=True)),
        ("rule versions", CommissionRuleVersion.objects.filter(rule__in=rules)),
        ("rules", rules),
        ("categories", Category.objects.filter(slug__startswith=PREFIX)),
        ("reason templates", ReasonTemplate.objects.filter(code__startswith=PREFIX)),
    ]
