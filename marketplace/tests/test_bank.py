"""Bank statements: read strictly, imported once, matched where it is certain."""

import contextlib
from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from hypothesis import example, given
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
@example(b"Date,Amount\rx\r1")
@example(b'\r"x')
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


DETAIL = "<TxDtls><Refs><EndToEndId>{e2e}</EndToEndId></Refs>{more}</TxDtls>"
CHARGE = "<Chrgs><Amt Ccy='EUR'>0.50</Amt><CdtDbtInd>DBIT</CdtDbtInd></Chrgs>"
DOLLARS = "<AmtDtls><InstdAmt><Amt Ccy='USD'>45.00</Amt></InstdAmt></AmtDtls>"


def parts_of(*amounts):
    return [f"<AmtDtls><TxAmt><Amt Ccy='EUR'>{one}</Amt></TxAmt></AmtDtls>" for one in amounts]


@pytest.mark.parametrize(
    ("side", "details", "expected"),
    [
        ("DBIT", [DOLLARS], [-39_90]),
        ("CRDT", [CHARGE], [39_90]),
        ("CRDT", ["", ""], [39_90]),
        ("CRDT", parts_of("30.00", "9.90"), [30_00, 9_90]),
        ("DBIT", parts_of("30.00", "9.00"), [-39_90]),
        ("DBIT", [*parts_of("30.00"), DOLLARS], [-39_90]),
        ("CRDT", ["<Amt Ccy='EUR'>50.00</Amt>",
                  "<Amt Ccy='EUR'>10.10</Amt><CdtDbtInd>DBIT</CdtDbtInd>"], [50_00, -10_10]),
    ],
)  # fmt: skip
def test_an_entry_of_camt_moves_what_it_says_itself(side, details, expected):
    inner = "".join(DETAIL.format(e2e=f"E{n}", more=more) for n, more in enumerate(details))
    given = entry(side=side)
    start, end = given.index("<TxDtls>"), given.index("</NtryDtls>")
    data = camt(given[:start] + inner + given[end:])
    movements = read_camt(data, "EUR").movements
    assert [one.amount for one in movements] == expected
    assert all(f"E{n}" in " ".join(one.reference for one in movements) for n in range(len(details)))


def test_camt_may_have_a_prefix_a_mark_and_a_status_with_a_code():
    text = camt(entry(status="<Cd>BOOK</Cd>")).decode().replace("001.02", "001.08")
    prefixed = text.replace("</", "</n:").replace("<", "<n:").replace("<n:/n:", "</n:")
    prefixed = prefixed.replace("<n:?xml", "<?xml").replace("xmlns=", "xmlns:n=")
    for data in (text.encode(), b"\xef\xbb\xbf" + text.encode(), prefixed.encode()):
        (line,) = read_camt(data, "EUR").movements
        assert (line.amount, line.counterparty) == (-39_90, "Ana")


def test_camt_of_two_accounts_is_refused():
    one = camt(entry()).decode()
    start, end = one.index("<Stmt>"), one.index("</Stmt>") + len("</Stmt>")
    other = one[start:end].replace("ES9121000418450200051332", "DE89370400440532013000")
    with pytest.raises(InvalidInput):
        read_camt((one[:end] + other + one[end:]).encode(), "EUR")


BANKS = [
    (
        "Titular;Luna Peña\n\nFecha;Concepto;Cargo;Abono\n05/10/26;Nómina;1.234,50;\n"
        "05/10/26;Ventas;;2.000,00\n05/10/26;Comisión;-3,00;0,00\n",
        {"date": "Fecha", "amount": "Abono", "amount_out": "Cargo", "reference": "Concepto",
         "date_format": "%d/%m/%y", "decimal_mark": ",", "delimiter": ";"},
        [-1234_50, 2000_00, -3_00],
    ),
    (
        "date\tamount\n2026-10-05T23:59:01Z\t12.00-\n2026-10-05 08:00\t+7.5\n"
        "2026-10-05\t\N{MINUS SIGN}1\n",
        {"delimiter": "\t"},
        [-12_00, 7_50, -1_00],
    ),
]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(("text", "columns", "expected"), BANKS)
def test_csv_as_banks_write_it(text, columns, expected, encoding):
    data = text.replace("\N{MINUS SIGN}", "-").encode(encoding)
    movements = read_csv(data, "EUR", Columns(**columns)).movements
    assert [(one.booked_on, one.amount) for one in movements] == [(DAY, one) for one in expected]
    assert movements[0].reference in ("Nómina", "")


@pytest.mark.parametrize(
    "row", ["5.00;5.00", ";", "-;", "--1;", "-1-;", "1;x", "1,2.3;", "1e3;", "€ 5;"]
)
def test_an_amount_that_is_not_certain_is_refused(row):
    columns = Columns(amount="in", amount_out="out", delimiter=";")
    with pytest.raises(InvalidInput):
        read_csv(f"date;in;out\n2026-10-05;{row}\n".encode(), "EUR", columns)
    for day in ("0001-01-01", "9999-12-31"):
        with pytest.raises(InvalidInput):
            read_csv(f"date;in;out\n{day};1;\n".encode(), "EUR", columns)


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
def test_lines_that_share_an_id_of_the_bank_are_all_imported(operator):
    """A payment and its fee under one id, a batch's equal parts: in whatever file they come."""
    fee, both = "-1.50,Fee,p1", ("50.00,Payment,p1", "-1.50,Fee,p1")
    for lines, count in (((fee,), 1), (both, 2), ((*both, "7.00,Other,p1"), 3), (both, 3)):
        assert upload(operator, today(*lines) + "\n" * count).status_code == 201
        assert BankLine.objects.count() == count
    assert upload(operator, today("1.00,Part,b1", "1.00,Part,b1")).status_code == 201
    assert upload(operator, today("1.00,Part,b1", "1.00,Part,b1", "2,x,b2")).status_code == 201
    assert sorted(BankLine.objects.values_list("amount", flat=True)) == [
        -1_50, 1_00, 1_00, 2_00, 7_00, 50_00,
    ]  # fmt: skip


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
    assert ">31/10/2026</option>" in client.get(add).content.decode()
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
    asked = client.post(page, {**chosen, "action": "match"}).content.decode()
    assert f"Open entries of this amount: {pk} (" in asked
    other = LedgerEntry.objects.filter(account__code="cash").exclude(pk=pk).first()
    wrong = {**chosen, "action": "match", "apply": "1", "entries": other.pk}
    said = client.post(page, wrong, follow=True).content.decode()
    assert "The entries add up to 90.00 EUR instead of -90.00 EUR" in said
    # Beside what was typed.
    assert f'name="entries" value="{other.pk}"' in said
    client.post(page, {**chosen, "action": "match", "apply": "1", "entries": f" {pk} "})
    assert BankMatch.objects.get().entry_id == pk
    assert client.get(f"{page}?matched=yes").status_code == 200
    statement = BankStatement.objects.get()
    shown = client.get(reverse("admin:marketplace_bankstatement_change", args=[statement.pk]))
    assert b"In the books" in shown.content
    bad = client.post(add, {**form, "file": SimpleUploadedFile("a.csv", b"x")})
    assert b"has no column" in bad.content
    missing = {**form, "format": "", "file": SimpleUploadedFile("a.csv", b"x")}
    assert b"Choose the file again" in client.post(add, missing).content
