"""Who sends the year's report on sellers, and to whom: what the settings say, checked.

The names are those of the schema that the directive's report is exchanged in (OECD, DPI 1.0),
which Spain's modelo 238 takes too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from lxml import etree
from stdnum.eu.vat import MEMBER_STATES

from marketplace.errors import Dac7HeaderIncomplete
from marketplace.seller_ids import clean_tax_id
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.parsing import Unreadable

NAMESPACE = "urn:oecd:ties:dpi:v1"
TYPES = "urn:oecd:ties:dpistf:v1"
SETTINGS = {
    "name": "marketplace.platform_legal_name",
    "tax_id": "marketplace.platform_tax_id",
    "address": "marketplace.platform_address",
    "business_name": "marketplace.dac7_platform_name",
    "sender": "marketplace.dac7_sender_id",
    "country": "marketplace.dac7_country",
    "receiver": "marketplace.dac7_receiving_country",
    "contact": "marketplace.dac7_contact",
}
OPTIONAL = {"business_name", "sender", "contact", "receiver"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The platform as the tax authority knows it."""

    name: str
    tax_id: str
    address: str
    country: str
    receiver: str
    sender: str
    business_name: str = ""
    contact: str = ""


def read_header() -> Header:
    """Return the header; raises `Dac7HeaderIncomplete`, which names every setting that is wrong."""
    values = {name: str(setting(key)).strip() for name, key in SETTINGS.items()}
    values["country"] = values["country"].upper()
    values["receiver"] = values["receiver"].upper() or values["country"]
    wrong = _faults(values)
    if wrong:
        raise Dac7HeaderIncomplete(
            _("The report cannot be sent without: %(settings)s.") % {"settings": ", ".join(wrong)},
            errors=[
                {"field": key, "code": "dac7_header", "detail": text} for key, text in wrong.items()
            ],
        )
    values["tax_id"] = clean_tax_id(values["tax_id"], values["country"])
    values["sender"] = values["sender"] or values["tax_id"]
    return Header(**values)


def _faults(values: Mapping[str, str]) -> dict[str, str]:
    """Return {setting: what is wrong with it}."""
    wrong = {
        SETTINGS[name]: _("This setting is empty.")
        for name, value in values.items()
        if not value and name not in OPTIONAL
    }
    members = {code.upper() for code in MEMBER_STATES} - {"EL"} | {"GR"}
    for name in ("country", "receiver"):
        if values[name] and values[name] not in members:
            wrong[SETTINGS[name]] = _("A member state by two letters, as in ES.")
    if values["country"] in members:
        wrong |= _tax_id_faults(values["tax_id"], values["country"])
    for name, value in values.items():
        if len(value) > 200:
            wrong[SETTINGS[name]] = _("At most 200 characters.")
    return wrong


def _tax_id_faults(tax_id: str, country: str) -> dict[str, str]:
    if not tax_id:
        return {}
    try:
        clean_tax_id(tax_id, country)
    except Unreadable as error:
        return {SETTINGS["tax_id"]: str(error)}
    return {}


def add(parent: Any, tag: str, text: str | None = None, **attributes: str) -> Any:
    """Append an element of the schema and return it."""
    node = etree.SubElement(parent, f"{{{NAMESPACE}}}{tag}", attributes)
    node.text = text
    return node


def message_spec(root: Any, header: Header, year: int, now: datetime, *, is_empty: bool) -> None:
    """Write the message's header; the reference is unique for each file."""
    spec = add(root, "MessageSpec")
    reference = f"{header.country}{year}{header.receiver}-{header.sender}-{now:%Y%m%dT%H%M%S%f}"
    values = {
        "SendingEntityIN": header.sender,
        "TransmittingCountry": header.country,
        "ReceivingCountry": header.receiver,
        "MessageType": "DPI",
        "Contact": header.contact,
        "MessageRefId": reference,
        # New information, or the statement that there is none to report.
        "MessageTypeIndic": "DPI403" if is_empty else "DPI401",
        "ReportingPeriod": f"{year}-12-31",
        "Timestamp": f"{now:%Y-%m-%dT%H:%M:%S}",
    }
    for tag, value in values.items():
        if value:
            add(spec, tag, value)


def platform_operator(body: Any, header: Header, reference: str) -> None:
    """Write who operates the platform."""
    operator = add(body, "PlatformOperator")
    add(operator, "ResCountryCode", header.country)
    add(operator, "TIN", header.tax_id, issuedBy=header.country)
    add(operator, "Name", header.name)
    add(operator, "PlatformBusinessName", header.business_name or header.name)
    add_address(operator, header.country, header.address)
    add(operator, "Nexus", "RPONEX1")
    add(operator, "AssumedReporting", "false")
    doc_spec(operator, reference)


def add_address(parent: Any, country: str, text: str) -> None:
    """Write an address as one text in a country."""
    address = add(parent, "Address")
    add(address, "CountryCode", country)
    add(address, "AddressFree", text)


def doc_spec(parent: Any, reference: str) -> None:
    """Write the record's own reference: new data."""
    spec = add(parent, "DocSpec")
    for tag, value in (("DocTypeIndic", "OECD1"), ("DocRefId", reference)):
        etree.SubElement(spec, f"{{{TYPES}}}{tag}").text = value
