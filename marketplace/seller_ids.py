"""Tax ids (by python-stdnum) and bank accounts (by schwifty) of sellers: checked and masked."""

import re
from typing import Any, Final

from django.utils.translation import gettext as _
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException
from stdnum import get_cc_module
from stdnum.exceptions import ValidationError as NotSuchANumber

from systemadmin.foundation.parsing import Unreadable

# What a country's tax office calls the numbers of businesses and of people.
_KINDS: Final = ("vat", "nif", "tin", "idnr", "codicefiscale", "pesel", "nin", "ssn")
_FREE: Final = re.compile(r"[A-Z0-9][A-Z0-9./-]{3,28}")


def clean_tax_id(text: str, country: str) -> str:
    """Return a tax id in the form of its country; raises `Unreadable`.

    Where the library knows the country's numbers, one of them has to fit, check digit included;
    elsewhere letters and digits do.
    """
    plain = "".join(text.split()).upper()
    known: list[Any] = [get_cc_module(country, kind) for kind in _KINDS] if country else []
    modules = [module for module in known if module is not None]
    for module in modules:
        try:
            return str(module.validate(plain))
        except NotSuchANumber:
            continue
    if modules or not _FREE.fullmatch(plain):
        text = _("Not a tax id of %(country)s.") % {"country": country or "?"}
        raise Unreadable(text)
    return plain


def clean_iban(text: str) -> str:
    """Return an IBAN without spaces; raises `Unreadable` when its check digits are wrong."""
    try:
        return str(IBAN(text, validate_bban=False).compact)
    except (SchwiftyException, ValueError) as error:
        raise Unreadable(_("Not an IBAN: look at its digits again.")) from error


def mask_iban(iban: str) -> str:
    """Return country and last four digits; the rest is nobody's business."""
    return f"{iban[:2]}** **** {iban[-4:]}" if iban else ""
