"""Bank statements: read strictly, imported once, matched where it is certain."""

import contextlib
from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from marketplace import services
from marketplace.bank_files import Columns, read_camt, read_csv
from marketplace.bank_matching import Candidate, Line, match
from marketplace.models import BankLine, BankMatch, BankStatement, LedgerEntry
from marketplace.services import clock
from marketplace.tests import factories
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import problem

DAY = date(2026, 10, 5)
CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt>
<GrpHdr><MsgId>1</MsgId><CreDtTm>2026-10-06T00:00:00</CreDtTm></GrpHdr>
<Stmt><Id>1</Id><Acct><Id><IBAN>ES9121000418450200051332</IBAN></Id><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">100.00</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-10-05</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">60.10</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-10-05</Dt></Dt></Bal>
{entries}
</Stmt></BkToCstmrStmt></Document>"""
ENTRY = """<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>
<Sts>{status}</Sts><BookgDt><Dt>2026-10-05</Dt></BookgDt><AcctSvcrRef>{ref}</AcctSvcrRef>
<NtryDtls><TxDtls><Refs><EndToEndId>{e2e}</EndToEndId></Refs>
<RltdPties><Cdtr><Nm>Ana</Nm></Cdtr></RltdPties>
<RmtInf><Ustrd>Sales of October</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"""


def entry(**values):
    return ENTRY.format(
        **{"currency": "EUR", "amount": "39.90", "side": "DBIT", "status": "BOOK", "ref": "R1",
           "e2e": "PAYOUT-000000007", **values}
    )  # fmt: skip


def camt(*entries):
    return CAMT.format(entries="".join(entries)).encode()


def test_camt_is_read_in_minor_units_and_with_its_balances():
    statement = read_camt(camt(entry(), entry(ref="R2", status="PDNG")), "EUR")
    (line,) = statement.movements
    assert (line.booked_on, line.amount, line.counterparty) == (DAY, -39_90, "Ana")
    assert "PAYOUT-000000007" in line.reference
    assert (statement.opening, statement.closing) == (100_00, 60_10)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html/>",
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'x'>]><a>&b;</a>",
        camt(entry(amount="1e3")),
        camt(entry(amount="0.001")),
        camt(entry(currency="USD")),
    ],
)
def test_what_is_no_such_camt_is_refused(data):
    with pytest.raises(InvalidInput):
        read_camt(data, "EUR")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_statement_or_a_refusal(data):
    for read in (lambda: read_camt(data, "EUR"), lambda: read_csv(data, "EUR", Columns())):
        with contextlib.suppress(InvalidInput):
            read()


def test_csv_with_columns_of_its_own():
    columns = Columns(
        date="Fecha", amount="Importe", reference="Concepto", date_format="%d/%m/%Y",
        decimal_mark=",", delimiter=";",
    )  # fmt: skip
    text = "Fecha;Importe;Concepto\n05/10/2026;-1.234,50;Nomina\n05/10/2026;0,00;Nada\n"
    (line,) = read_csv(text.encode(), "EUR", columns).movements
    assert (line.booked_on, line.amount, line.reference) == (DAY, -1234_50, "Nomina")
    for wrong in ("Fecha;Importe\n32/10/2026;1\n", "Fecha;Importe\n05/10/2026;x\n", "A;B\n"):
        with pytest.raises(InvalidInput):
            read_csv(wrong.encode(), "EUR", columns)


def test_equal_lines_of_a_day_have_ids_of_their_own_in_every_file():
    text = b"date,amount,reference\n2026-10-05,1.00,a\n2026-10-05,1.00,a\n"
    first, second = (read_csv(text, "EUR", Columns()).movements for _ in range(2))
    assert [one.bank_id for one in first] == [one.bank_id for one in second]
    assert len({one.bank_id for one in first}) == 2


def test_a_reference_decides_before_the_day_and_doubt_matches_nothing():
    near = DAY + timedelta(days=2)
    lines = [Line(1, 500, DAY, "x payout 000000007 y"), Line(2, 500, DAY, ""), Line(3, 70, DAY, "")]
    entries = [
        Candidate(10, 500, near),
        Candidate(11, 500, near, ["PAYOUT-000000007"]),
        Candidate(12, 70, near),
        Candidate(13, 70, near),
        Candidate(14, 9, near),
    ]
    assert match(lines, entries) == {1: 11, 2: 10}
    late = [Candidate(1, 70, DAY + timedelta(days=6))]
    assert match([Line(1, 70, DAY, "")], late) == {}
    assert match([Line(1, 70, DAY, ""), Line(2, 70, DAY, "")], [Candidate(1, 70, DAY)]) == {}


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 20)), max_size=8),
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 20)), max_size=8),
)
def test_matches_have_equal_amounts_and_use_each_entry_once(lines, entries):
    lines = [Line(n, a, DAY + timedelta(days=d), "") for n, (a, d) in enumerate(lines)]
    entries = [Candidate(n, a, DAY + timedelta(days=d)) for n, (a, d) in enumerate(entries)]
    found = match(lines, entries)
    assert len(set(found.values())) == len(found)
    assert all(lines[line].amount == entries[one].amount for line, one in found.items())


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


@pytest.fixture
def payout(db):
    """-90.00 of cash, paid today."""
    order = factories.completed(factories.approved(price=90_00))
    made = services.create_payout(actor=factories.root(), seller=order.seller, currency="EUR")
    return services.pay_payout(actor=factories.root(), payout=made)


def upload(client, text, **values):
    data = text if isinstance(text, bytes) else text.encode()
    body = {"file": SimpleUploadedFile("bank.csv", data), "format": "csv", "account": "cash",
            "currency": "EUR", **values}  # fmt: skip
    return client.post("/api/admin/bank-statements", body, format="multipart")


def today(*lines):
    day = clock.today().isoformat()
    return "date,amount,reference,id\n" + "".join(f"{day},{line}\n" for line in lines)


@pytest.mark.django_db
@pytest.mark.usefixtures("books")
def test_a_statement_is_imported_once_matched_and_stands_against_the_books(operator, payout):
    text = today(f"-90.00,{payout.bank_reference},b1", "7.00,Interest,b2")
    made = upload(operator, text)
    assert made.status_code == 201, made.json()
    stands = made.json()["reconciliation"]
    assert (stands["unmatched_lines"], stands["unmatched_lines_amount"]) == (1, 7_00)
    assert (stands["unmatched_entries"], stands["unmatched_entries_amount"]) == (1, 90_00)
    assert upload(operator, text).json()["id"] == made.json()["id"]
    upload(operator, text + f"{clock.today()},1.00,Later,b3\n")
    assert (BankStatement.objects.count(), BankLine.objects.count()) == (2, 3)
    rows = operator.get("/api/admin/bank-lines?matched=false").json()["results"]
    assert [row["reference"] for row in rows] == ["Later", "Interest"]
    assert BankMatch.objects.get().entry.transaction.payout == payout


@pytest.mark.django_db
@pytest.mark.usefixtures("books")
def test_by_hand_the_entries_add_up_to_the_line(operator, payout):
    lines = services.usual_lines(kind="settlement", amount=5_00)
    services.post_journal_entry(
        actor=factories.root(), kind="settlement", currency="EUR", lines=lines, reason="x"
    )
    upload(operator, today("-95.00,Both,b1"))
    line = BankLine.objects.get()
    cash = LedgerEntry.objects.filter(account__code="cash")
    out = list(cash.filter(amount__lt=0).values_list("pk", flat=True))
    path = f"/api/admin/bank-lines/{line.pk}"
    problem(operator.post(f"{path}/match", {"entries": out[:1]}), 400, field="entries")
    problem(operator.post(f"{path}/match", {"entries": [10**9]}), 400, field="entries")
    assert operator.post(f"{path}/match", {"entries": out}).json()["entries"] == out
    problem(operator.post(f"{path}/match", {"entries": out}), 409, "line_matched")
    shown = operator.get("/api/admin/ledger?account=cash&matched=true").json()["results"]
    assert {row["id"] for row in shown} == set(out)
    assert operator.post(f"{path}/unmatch").json()["entries"] == []


def test_bad_files_are_refused_and_leave_nothing(operator):
    for values in ({"format": "pdf"}, {"account": "revenue"}, {"currency": "X"}):
        problem(upload(operator, today("1,x,1"), **values), 400)
    problem(upload(operator, "date;amount\n", delimiter=","), 400, field="file")
    problem(upload(operator, b"\xff\xfe", format="csv"), 400, field="file")
    assert not BankStatement.objects.exists()


def test_the_pages_import_match_and_take_back(admin_client_for, superuser, payout):
    client = admin_client_for(superuser)
    add = reverse("admin:marketplace_bankstatement_add")
    form = {**{name: name for name in ("date", "amount", "reference", "counterparty", "id")},
            "date_format": "%Y-%m-%d", "decimal_mark": ".", "delimiter": ",", "account": "cash",
            "currency": "EUR", "format": "csv"}  # fmt: skip
    file = SimpleUploadedFile("a.csv", today("-90.00,Ours,b1").encode())
    done = client.post(add, {**form, "file": file})
    assert done.status_code == 302, done.context["adminform"].form.errors
    page = reverse("admin:marketplace_bankline_changelist")
    line = BankLine.objects.get()
    assert line.matches.count() == 1
    chosen = {"_selected_action": line.pk}
    client.post(page, {**chosen, "action": "unmatch"})
    assert not BankMatch.objects.exists()
    pk = LedgerEntry.objects.get(account__code="cash", amount=-90_00).pk
    client.post(page, {**chosen, "action": "match", "apply": "1", "entries": f" {pk} "})
    assert BankMatch.objects.get().entry_id == pk
    assert client.get(f"{page}?matched=yes").status_code == 200
    statement = BankStatement.objects.get()
    shown = client.get(reverse("admin:marketplace_bankstatement_change", args=[statement.pk]))
    assert b"In the books" in shown.content
    bad = client.post(add, {**form, "file": SimpleUploadedFile("a.csv", b"x")})
    assert b"has no column" in bad.content
