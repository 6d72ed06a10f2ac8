"""Payout batches: pending payouts in one file for the bank, each in one batch only."""

import hashlib
from datetime import date
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.errors import NothingToPay, PayerMissing, TransferRefused
from marketplace.models import Payout, PayoutBatch, SellerProfile
from marketplace.payout_files import (
    SEPA_MOST,
    Transfer,
    pain001,
    transfer_fault,
    transfers_csv,
)
from marketplace.querysets.payouts import waiting_for_a_file
from marketplace.seller_ids import clean_iban
from marketplace.services import approval_policies, clock, concerned
from marketplace.services.payouts import hold_reasons, pay_payout
from marketplace.services.sellers import ACCOUNT
from systemadmin import audit
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.crypto import decrypt_secret, encrypt_secret
from systemadmin.foundation.display import display_name
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.money import format_money
from systemadmin.foundation.parsing import Unreadable
from systemadmin.models import User
from systemadmin.services.duties import decides
from systemadmin.services.second_person import without_second_person

FILE = "payout_batch"
MOST_PAYOUTS = 5000


@decides(
    "marketplace.create_payout_batch",
    permission="marketplace.add_payoutbatch",
    concerns=concerned.sellers_of_pending_payouts,
)
@approval_policies.create_payout_batch
@transaction.atomic
def create_payout_batch(
    *, actor: User | None, currency: str, execution_on: date | None = None
) -> PayoutBatch:
    """Put the pending payouts of a currency whose sellers have an account into one file.

    What is on hold or has no account stays pending and is taken by a later batch. EUR gives
    pain.001 and CSV, other currencies CSV.
    """
    day = execution_on or clock.today()
    if day < clock.today():
        raise InvalidInput("execution_on", _("Choose today or a later day."))
    payouts = list(
        waiting_for_a_file()
        .select_for_update(of=("self",))
        .filter(currency=currency)
        .select_related("seller")
        .order_by("pk")[:MOST_PAYOUTS]
    )
    pairs = _with_accounts(payouts)
    if not pairs:
        raise NothingToPay
    payer = _payer_of(pairs) if currency == "EUR" else None
    batch = PayoutBatch(
        currency=currency,
        execution_on=day,
        count=len(pairs),
        amount=sum(payout.amount for payout, _transfer in pairs),
        created_by=actor,
    )
    batch.save()
    _seal_files(batch, [transfer for _payout, transfer in pairs], payer)
    batch.full_clean()
    batch.save()
    Payout.objects.filter(pk__in=[payout.pk for payout, _transfer in pairs]).update(batch=batch)
    audit.record(
        "marketplace.payout_batch.created",
        actor=actor,
        target=batch,
        after={"payouts": batch.count, "amount": batch.amount, "sha256": batch.sha256},
    )
    return batch


def _seal_files(
    batch: PayoutBatch, transfers: list[Transfer], payer: tuple[str, str] | None
) -> None:
    """Put the encrypted files for the bank into a batch; without a payer there is no pain.001."""
    table, xml = transfers_csv(transfers, batch.currency), ""
    if payer is not None:
        name, iban = payer
        xml = pain001(
            payer=name, payer_iban=iban, message_id=f"ATALAYA-{batch.pk:09d}",
            day=batch.execution_on, transfers=transfers,
        )  # fmt: skip
    batch.csv_sealed = encrypt_secret(table, purpose=FILE)
    batch.pain001_sealed = encrypt_secret(xml, purpose=FILE) if xml else ""
    batch.sha256 = hashlib.sha256((xml or table).encode()).hexdigest()


def _with_accounts(payouts: list[Payout]) -> list[tuple[Payout, Transfer]]:
    """Return the payouts that can be sent, each with its transfer."""
    profiles = {
        profile.user_id: profile
        for profile in SellerProfile.objects.filter(
            user__in=[payout.seller_id for payout in payouts]
        ).exclude(account_sealed="")
    }
    found = []
    for payout in payouts:
        profile = profiles.get(payout.seller_id)
        if profile is None or hold_reasons(payout.seller):
            continue
        iban = decrypt_secret(profile.account_sealed, purpose=ACCOUNT)
        payee = profile.legal_name or display_name(payout.seller)
        reference = payout.bank_reference
        found.append((payout, Transfer(payout.pk, payee, iban, payout.amount, reference)))
    return found


def _payer_of(pairs: list[tuple[Payout, Transfer]]) -> tuple[str, str]:
    """Return name and IBAN of who pays by SEPA; the bank must accept every transfer."""
    payer = _payer()
    for payout, transfer in pairs:
        _check_transfer(payout, transfer)
    return payer


def _check_transfer(payout: Payout, transfer: Transfer) -> None:
    """Refuse, naming the payout, what the bank would refuse the whole file for."""
    fault = transfer_fault(transfer)
    if not fault:
        return
    named = {
        "payout": payout.pk,
        "seller": payout.seller.get_username(),
        "amount": format_money(transfer.amount, payout.currency),
        "most": format_money(SEPA_MOST, payout.currency),
    }
    reasons = {
        "amount": _(
            "Payout %(payout)s to %(seller)s is %(amount)s. One SEPA transfer carries at most "
            "%(most)s. Pay it in another way and mark it as paid, or cancel it. Then make the file."
        ),
        "iban": _(
            "The account of %(seller)s, for payout %(payout)s, is not an IBAN. Have it entered "
            "anew. Then make the file."
        ),
        "reference": _("The reference of payout %(payout)s to %(seller)s is not one of SEPA."),
    }
    raise TransferRefused(reasons[fault] % named, extra={"payout": payout.pk, "fault": fault})


def _payer() -> tuple[str, str]:
    """Return name and IBAN of the platform from the settings."""
    name = setting("marketplace.platform_legal_name")
    try:
        return name or _missing(), clean_iban(setting("marketplace.platform_iban"))
    except Unreadable as error:
        raise PayerMissing from error


def _missing() -> str:
    raise PayerMissing


def payout_file(*, actor: User, batch: PayoutBatch, kind: str) -> str:
    """Return the file of a batch; who takes it is on record."""
    sealed = batch.pain001_sealed if kind == "pain.001" else batch.csv_sealed
    if not sealed:
        raise InvalidInput("file", _("The batch has no such file."))
    audit.record(
        "marketplace.payout_batch.downloaded",
        actor=actor,
        target=batch,
        metadata={"file": kind},
    )
    return decrypt_secret(sealed, purpose=FILE)


@decides(
    "marketplace.pay_payout_batch",
    permission="marketplace.change_payoutbatch",
    concerns=concerned.sellers_of_batch,
)
@approval_policies.pay_payout_batch
@transaction.atomic
def pay_payout_batch(*, actor: User | None, batch: PayoutBatch) -> int:
    """Record that the bank carried a batch out; return how many payouts became paid.

    What is on hold by now stays pending. A second person agrees to the batch as a whole, not to
    each of its payouts.
    """
    waiting: Any = Payout.objects.filter(batch=batch, status="pending").order_by("pk")
    done = 0
    for payout in waiting:
        if hold_reasons(payout.seller):
            continue
        with without_second_person():
            pay_payout(actor=actor, payout=payout, reference=payout.bank_reference)
        done += 1
    return done
