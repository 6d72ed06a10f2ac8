"""Commission rules that their own author would sell under: listing there is refused."""

from collections.abc import Iterable

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from marketplace.fee_comparison import Listing, can_match
from marketplace.models import CommissionRule, CommissionRuleVersion, Product
from marketplace.services.concerned import sold_in
from marketplace.services.schedule import engine_rule, party_of
from systemadmin.foundation.errors import InvalidInput
from systemadmin.services.duties import accounts_of, key_owners


def check_no_own_rule(*, product: Product) -> None:
    """Refuse a product under a rule that its seller wrote last and that nobody else sells under.

    A rule for what nobody sells yet concerns nobody while it is written. What was refused then
    must not happen afterwards: `InvalidInput` until somebody else has saved the rule.
    """
    rules = CommissionRule.objects.filter(is_active=True, sellers=None, products=None)
    written = CommissionRuleVersion.objects.filter(
        rule__in=rules, number=F("rule__version"), changed_by__isnull=False
    )
    authors = dict(written.values_list("rule", "changed_by"))
    if not authors:
        return
    owners = key_owners(authors.values())
    own = accounts_of(product.seller_id)
    for rule in rules.filter(pk__in=authors):
        author = authors[rule.pk]
        is_own = author in own or owners.get(author) in own
        if is_own and _holds_for(rule, product) and not _is_met_by_others(rule, own):
            raise InvalidInput(
                "category" if rule.categories.exists() else "price",
                _(
                    "The seller wrote a commission rule that holds for this product and for nobody"
                    " else's. Somebody else has to save that rule first."
                ),
                code="own_interest",
            )


def _holds_for(rule: CommissionRule, product: Product) -> bool:
    """Return whether the rule is narrowed, and to what includes this product."""
    stored = engine_rule(rule)
    if stored.conditions.is_empty:
        return False
    listing = Listing(
        product.currency, product.seller_id, tuple(product.category.path_ids), product.kind
    )
    fits = rule.unit_from is None or product.price >= rule.unit_from
    fits = fits and (rule.unit_below is None or product.price < rule.unit_below)
    return fits and can_match(stored, listing, party_of(product.seller_id, None))


def _is_met_by_others(rule: CommissionRule, own: Iterable[int]) -> bool:
    """Return whether anybody else has a product that the rule holds for."""
    categories = list(rule.categories.all())
    found: QuerySet = (
        sold_in(categories) if categories else Product.objects.exclude(status="removed")
    )
    wanted = {
        "kind__in": rule.kinds,
        "currency": rule.currency,
        "price__gte": rule.unit_from,
        "price__lt": rule.unit_below,
        "seller__country__in": rule.countries,
        "seller__seller_profile__tax_status__in": rule.tax_statuses,
        "seller__seller_profile__level__in": rule.levels,
    }
    met = Q(**{name: value for name, value in wanted.items() if value not in ([], "", None)})
    return found.filter(met).exclude(seller__in=own).exists()
