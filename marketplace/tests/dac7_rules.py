"""The rules of the year's report on sellers, written down: OECD's schema DPI 1.0 and its guide.

`faults(root)` returns every rule that a file breaks. It is written from the guide, not from our
writer.
"""

import re
from datetime import date, datetime

DPI, STF = "{urn:oecd:ties:dpi:v1}", "{urn:oecd:ties:dpistf:v1}"
COUNTRY, CURRENCY = re.compile(r"[A-Z]{2}"), re.compile(r"[A-Z]{3}")
# Children in their order; ? may be missing, * may repeat too.
SEQUENCES = {
    "DPI_OECD": "MessageSpec DPIBody",
    "MessageSpec": "SendingEntityIN? TransmittingCountry ReceivingCountry MessageType Warning? "
    "Contact? MessageRefId MessageTypeIndic ReportingPeriod Timestamp",
    "DPIBody": "PlatformOperator ReportableSeller*",
    "PlatformOperator": "ResCountryCode? TIN Name PlatformBusinessName? Address Nexus? "
    "AssumedReporting? DocSpec",
    "ReportableSeller": "Identity RelevantActivities DocSpec",
    "EntitySeller": "Standard",
    "IndividualSeller": "Standard",
    "EntSellerID": "ResCountryCode? TIN Name Address",
    "IndSellerID": "ResCountryCode TIN Name Address BirthInfo",
    "BirthInfo": "BirthDate BirthPlace?",
    "Address": "CountryCode AddressFree",
    "RelevantActivities": "SaleOfGoods",
    "SaleOfGoods": "Consideration NumberOfActivities Fees Taxes",
    "Consideration": "ConsQ1 ConsQ2 ConsQ3 ConsQ4",
    "NumberOfActivities": "NumbQ1 NumbQ2 NumbQ3 NumbQ4",
    "Fees": "FeesQ1 FeesQ2 FeesQ3 FeesQ4",
    "Taxes": "TaxQ1 TaxQ2 TaxQ3 TaxQ4",
    "DocSpec": "DocTypeIndic DocRefId",
}
TEXTS = {
    "MessageType": re.compile("DPI"),
    "MessageTypeIndic": re.compile("DPI40[123]"),
    "MessageRefId": re.compile(r".{1,170}"),
    "Nexus": re.compile("RPONEX[1-5]"),
    "AssumedReporting": re.compile("true|false"),
    "DocTypeIndic": re.compile("OECD[0123]"),
    "DocRefId": re.compile(r"[A-Z]{2}\d{4}.{1,194}"),
    "AddressFree": re.compile(r"(?s).{1,4000}"),
    "FirstName": re.compile(r".{1,200}"),
    "LastName": re.compile(r".{1,200}"),
}
WHOLE = re.compile(r"-?\d+")
QUARTER = re.compile(r"(Cons|Fees|Tax|Numb)Q[1-4]")


def faults(root):
    """Return what is wrong with a file, each as a sentence."""
    found = []
    for node in root.iter():
        name = node.tag.removeprefix(DPI).removeprefix(STF)
        text = node.text or ""
        if name in SEQUENCES and not _in_order(SEQUENCES[name], node):
            found.append(f"{name}: {[_name(child) for child in node]}")
        if name in TEXTS and not TEXTS[name].fullmatch(text):
            found.append(f"{name}: {text!r}")
        if name.endswith(("Country", "CountryCode")):
            found += [] if COUNTRY.fullmatch(text) else [f"{name}: {text!r} is no country"]
        if QUARTER.fullmatch(name):
            found += [] if WHOLE.fullmatch(text) else [f"{name}: {text!r} is not whole"]
            is_money = not name.startswith("Numb")
            if is_money and not CURRENCY.fullmatch(node.get("currCode", "")):
                found.append(f"{name}: no currency")
        if name == "TIN" and (node.get("unknown") == "true") != (text == "NOTIN"):
            found.append("TIN: NOTIN is what says that it is unknown")
    return found + _message_faults(root)


def _message_faults(root):
    """Return what is wrong with the message as a whole."""
    spec, found = root.find(f"{DPI}MessageSpec"), []
    period = date.fromisoformat(spec.findtext(f"{DPI}ReportingPeriod"))
    if (period.month, period.day) != (12, 31):
        found.append("the period ends with a year")
    datetime.fromisoformat(spec.findtext(f"{DPI}Timestamp"))
    head = f"{spec.findtext(f'{DPI}TransmittingCountry')}{period.year}"
    if not spec.findtext(f"{DPI}MessageRefId").startswith(head):
        found.append("the message's reference begins with country and year")
    references = [node.text for node in root.iter(f"{STF}DocRefId")]
    if len(references) != len(set(references)):
        found.append("a record's reference is used once")
    if not all(text.startswith(head) for text in references):
        found.append("a record's reference begins with country and year")
    has_sellers = root.find(f".//{DPI}ReportableSeller") is not None
    if (spec.findtext(f"{DPI}MessageTypeIndic") == "DPI403") == has_sellers:
        found.append("DPI403 says that there is nothing to report")
    for born in root.iter(f"{DPI}BirthDate"):
        if not date(1900, 1, 1) <= date.fromisoformat(born.text) <= period:
            found.append(f"BirthDate: {born.text}")
    return found


def _name(node):
    return node.tag.removeprefix(DPI).removeprefix(STF)


def _in_order(wanted, node):
    pattern = "".join(
        f"(?:{part.rstrip('?*')} ){part[-1] if part[-1] in '?*' else ''}" for part in wanted.split()
    )
    return re.fullmatch(pattern, "".join(f"{_name(child)} " for child in node)) is not None
