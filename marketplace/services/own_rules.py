"""Commission rules that their own author would sell under: listing there is refused."""

from django.db.models import F
from django.utils.translation import gettext as _

from marketplace.models import Category, CommissionRule, CommissionRuleVersion
from marketplace.services.concerned import is_sold_by_others
from systemadmin.foundation.errors import InvalidInput
from systemadmin.services.duties import accounts_of, key_owners


def check_no_own_rule(*, seller_id: int, category: Category) -> None:
    """Refuse a product in a category whose rule its seller wrote last and where nobody else sells.

    A rule for an empty category concerns nobody while it is written. What was refused then must
    not happen afterwards: `InvalidInput` until somebody else has saved the rule.
    """
    rules = CommissionRule.objects.filter(
        categories__in=category.path_ids, is_active=True, sellers=None, products=None
    )
    written = CommissionRuleVersion.objects.filter(
        rule__in=rules, number=F("rule__version"), changed_by__isnull=False
    )
    authors = dict(written.values_list("rule", "changed_by"))
    if not authors:
        return
    owners = key_owners(authors.values())
    own = accounts_of(seller_id)
    for rule in CommissionRule.objects.filter(pk__in=authors):
        author = authors[rule.pk]
        is_own = author in own or owners.get(author) in own
        if is_own and not is_sold_by_others(rule.categories.all(), own):
            raise InvalidInput(
                "category",
                _(
                    "The seller wrote the commission rule of this category, and nobody else sells"
                    " in it. Somebody else has to save that rule first."
                ),
                code="own_interest",
            )
