"""What the marketplace keeps: of whom, why, how long."""

from django.db.models import Q

from systemadmin.foundation.retention import Rows, Span, Table

LEDGER = "by law: books and what they rest on are kept; no rule deletes them"
CONFIGURATION = "until staff delete it"
WITH_PRODUCT = "as long as the product"
WITH_RULE = "as long as the rule"

BOOKS = [
    Table(
        model="marketplace.Order",
        holds="who bought from whom, amounts, payment reference",
        purpose="the purchase; books",
        owners=["buyer", "seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.OrderLine",
        holds="what was bought, with amounts",
        purpose="the purchase; books",
        owners=["order__buyer", "order__seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.CommissionLine",
        holds="the commission of an order line with its calculation",
        purpose="books; explaining a commission",
        owners=["line__order__seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.CommissionCharge",
        holds="each fee of an order line",
        purpose="books; explaining a fee",
        owners=["line__order__seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.Refund",
        holds="refunds with reasons",
        purpose="books",
        owners=["order__buyer", "order__seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.RefundLine",
        holds="refunds per order line",
        purpose="books",
        owners=["refund__order__buyer", "refund__order__seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.Dispute",
        holds="disputes and how they ended",
        purpose="books; the decision",
        owners=["order__buyer", "order__seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.DisputeMessage",
        holds="what both sides said, with evidence",
        purpose="the decision about money",
        owners=["author", "dispute__order__buyer", "dispute__order__seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.LedgerAccount",
        holds="accounts of the books with balances",
        purpose="books",
        owners=["seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.LedgerTransaction",
        holds="transactions of the books",
        purpose="books",
        kept=LEDGER,
    ),
    Table(
        model="marketplace.LedgerEntry",
        holds="entries of the books",
        purpose="books",
        kept=LEDGER,
    ),
    Table(
        model="marketplace.Payout",
        holds="payouts to sellers",
        purpose="books",
        owners=["seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.PayoutItem",
        holds="which entries a payout pays",
        purpose="books",
        owners=["payout__seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.PayoutCharge",
        holds="each fee of a payout",
        purpose="books; explaining a fee",
        owners=["payout__seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.BankStatement",
        holds="imported statements of the platform's bank account",
        purpose="books: what the bank says beside what is booked",
        owners=["actor"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.BankLine",
        holds="movements of the bank account with reference and counterparty",
        purpose="books",
        kept=LEDGER,
    ),
    Table(
        model="marketplace.BankMatch",
        holds="which entry a movement is",
        purpose="books",
        owners=["actor"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.PayoutBatch",
        holds="encrypted payment files for the bank",
        purpose="books: what the bank was asked to pay",
        owners=["created_by"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.JournalEntry",
        holds="entries by hand with reasons and vouchers",
        purpose="books",
        owners=["seller", "actor"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.JournalLine",
        holds="lines of an entry by hand",
        purpose="books",
        owners=["seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.SellerStatement",
        holds="sellers' statements of closed months",
        purpose="books, and what a seller may ask for",
        owners=["seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.CommissionInvoice",
        holds="numbered invoices of commissions, with the seller's name and address of that day",
        purpose="books: invoices are kept as they were issued",
        owners=["seller"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.InvoiceSeries",
        holds="the last number of each series of invoices",
        purpose="numbers without gaps",
        kept=LEDGER,
    ),
    Table(
        model="marketplace.ClosedMonth",
        holds="closed months of the books with their turnover",
        purpose="books",
        owners=["closed_by"],
        kept=LEDGER,
    ),
    Table(
        model="marketplace.SellerProfile",
        holds="tax status and level of a seller",
        purpose="commissions and tax",
        owners=["user"],
        kept=LEDGER,
    ),
]

CATALOGUE = [
    Table(
        model="marketplace.Product",
        holds="products and services of sellers",
        purpose="selling; order lines name it",
        owners=["seller"],
        kept="as long as the seller's account: orders name it",
    ),
    Table(
        model="marketplace.ProductImage",
        holds="pictures of products",
        purpose="selling",
        owners=["product__seller"],
        kept=WITH_PRODUCT,
    ),
    Table(
        model="marketplace.ProductReview",
        holds="decisions of moderators",
        purpose="explaining the decision",
        owners=["product__seller", "actor"],
        kept=WITH_PRODUCT,
    ),
    Table(
        model="marketplace.ProductRevision",
        holds="changes of approved products",
        purpose="moderation",
        owners=["product__seller"],
        kept=WITH_PRODUCT,
    ),
    Table(
        model="marketplace.ProductWord",
        holds="words of products",
        purpose="search",
        owners=["product__seller"],
        kept=WITH_PRODUCT,
    ),
    Table(
        model="marketplace.Category",
        holds="categories of products",
        purpose="configuration",
        kept=CONFIGURATION,
    ),
    Table(
        model="marketplace.ReasonTemplate",
        holds="texts of reasons",
        purpose="configuration",
        kept=CONFIGURATION,
    ),
    Table(
        model="marketplace.CommissionFee",
        holds="fees",
        purpose="configuration",
        kept=CONFIGURATION,
    ),
    Table(
        model="marketplace.CommissionRule",
        holds="rules of commissions",
        purpose="configuration; commissions name it",
        kept=CONFIGURATION,
    ),
    Table(
        model="marketplace.CommissionRuleVersion",
        holds="earlier versions of a rule",
        purpose="old commissions stay explained",
        kept=WITH_RULE,
    ),
    Table(
        model="marketplace.CommissionRule_categories",
        holds="categories of a rule",
        purpose="configuration",
        kept=WITH_RULE,
    ),
    Table(
        model="marketplace.CommissionRule_products",
        holds="products of a rule",
        purpose="configuration",
        kept=WITH_RULE,
    ),
    Table(
        model="marketplace.CommissionRule_sellers",
        holds="sellers of a rule",
        purpose="configuration",
        owners=["user"],
        kept=WITH_RULE,
    ),
    Table(
        model="marketplace.FeeTaxRate",
        holds="tax rates by country",
        purpose="configuration",
        kept=CONFIGURATION,
    ),
]

HOOKS = [
    Table(
        model="marketplace.PaymentHook",
        holds="payment services that tell of payments, with encrypted secrets",
        purpose="configuration",
        kept=CONFIGURATION,
    ),
    Table(
        model="marketplace.PaymentEvent",
        holds="what payment services told, without who paid",
        purpose="booking it once, and finding out why something was not booked",
        owners=["order__buyer", "order__seller"],
        rules=[
            Rows(
                name="payment_events",
                span=Span(setting="retention.payment_event_days"),
                moment="created_at",
                where=Q(status__in=["done", "ignored", "failed"]),
            )
        ],
    ),
]

TABLES = [*BOOKS, *CATALOGUE, *HOOKS]
