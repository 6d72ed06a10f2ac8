"""Payouts as a file for the bank: pain.001 by sepaxml, checked against its schema, and CSV."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sepaxml import SepaTransfer
from text_unidecode import unidecode

from marketplace.seller_ids import clean_iban
from systemadmin.foundation.csv_export import csv_of_mappings
from systemadmin.foundation.money import to_major
from systemadmin.foundation.parsing import Unreadable

SCHEMA = "pain.001.001.03"
# What one SEPA credit transfer carries at most, in cents (EPC 125-05, AT-T002).
SEPA_MOST = 999_999_999_99
# Identifiers in SEPA files: at most 35 of these, no slash at an end and no two in a row.
SEPA_ID = re.compile(r"(?!/)(?!.*//)[A-Za-z0-9/?:().,'+ -]{1,35}(?<!/)")
# What banks take in names: the letters of the European Payments Council's SEPA character set.
NOT_SEPA = re.compile(r"[^A-Za-z0-9/?:().,'+ -]+")
COLUMNS = ("payout", "payee", "iban", "amount", "currency", "reference")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One payout of a bank file: the amount in minor units."""

    payout: int
    payee: str
    iban: str
    amount: int
    reference: str


def transfer_fault(transfer: Transfer) -> str:
    """Return "amount", "iban" or "reference" where a SEPA transfer cannot be so; "" if it can."""
    if not 1 <= transfer.amount <= SEPA_MOST:
        return "amount"
    try:
        if clean_iban(transfer.iban) != transfer.iban:
            return "iban"
    except Unreadable:
        return "iban"
    return "" if SEPA_ID.fullmatch(transfer.reference) else "reference"


def bank_name(text: str, otherwise: str) -> str:
    """Return a name in the letters and the length that banks take.

    What has no such letters is left out; a name of nothing else is `otherwise`, so that one
    seller's name cannot keep the file of everybody from being made.
    """
    plain = NOT_SEPA.sub(" ", unidecode(text.replace("&", "+")))
    # Banks give a slash at an end, and two in a row, a meaning of their own.
    plain = " ".join(re.sub("/{2,}", "/", plain).split()).strip("/ ")
    return plain[:70].strip("/ ") or otherwise


def pain001(
    *, payer: str, payer_iban: str, message_id: str, day: date, transfers: Sequence[Transfer]
) -> str:
    """Return a SEPA credit transfer in euros, valid against the schema of the standard.

    Raises `ValueError` for a transfer that `transfer_fault` finds fault with.
    """
    for transfer in transfers:
        if fault := transfer_fault(transfer):
            raise ValueError(f"payout {transfer.payout}: {fault}")
    file = SepaTransfer(
        {"name": bank_name(payer, "Payer"), "IBAN": payer_iban, "currency": "EUR", "batch": True},
        schema=SCHEMA,
    )
    # Ours, so that the bank refuses the same batch a second time.
    file.msg_id = message_id
    for node in file._xml.iter("MsgId"):
        node.text = message_id
    for transfer in transfers:
        file.add_payment(
            {
                "name": bank_name(transfer.payee, f"Payout {transfer.payout}"),
                "IBAN": transfer.iban,
                "amount": transfer.amount,
                "execution_date": day,
                "description": transfer.reference,
                "endtoend_id": transfer.reference,
            }
        )
    return file.export(validate=True).decode()


def transfers_csv(transfers: Sequence[Transfer], currency: str) -> str:
    """Return the same as CSV, in major units."""
    rows = (
        {
            "payout": one.payout,
            "payee": one.payee,
            "iban": one.iban,
            "amount": f"{to_major(one.amount, currency):f}",
            "currency": currency,
            "reference": one.reference,
        }
        for one in transfers
    )
    return "".join(csv_of_mappings(COLUMNS, rows))
