"""Payouts as a file for the bank: pain.001 by sepaxml, checked against its schema, and CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sepaxml import SepaTransfer

from systemadmin.foundation.csv_export import csv_of_mappings
from systemadmin.foundation.money import to_major

SCHEMA = "pain.001.001.03"
COLUMNS = ("payout", "payee", "iban", "amount", "currency", "reference")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One payout to be: the amount in minor units."""

    payout: int
    payee: str
    iban: str
    amount: int
    reference: str


def pain001(
    *, payer: str, payer_iban: str, message_id: str, day: date, transfers: Sequence[Transfer]
) -> str:
    """Return a SEPA credit transfer in euros, valid against the schema of the standard."""
    file = SepaTransfer(
        {"name": payer, "IBAN": payer_iban, "currency": "EUR", "batch": True}, schema=SCHEMA
    )
    # Ours, so that the bank refuses the same batch a second time.
    file.msg_id = message_id
    for node in file._xml.iter("MsgId"):
        node.text = message_id
    for transfer in transfers:
        file.add_payment(
            {
                "name": transfer.payee,
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
