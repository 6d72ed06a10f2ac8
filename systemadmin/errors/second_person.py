"""Refusals about acts that need a second person."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import InvalidInput, NotAllowed, RuleViolation


class OwnInterest(NotAllowed):
    """The decision concerns the account of whoever decides, or one confirmed as theirs."""

    code = "own_interest"
    default_detail = _(
        "This concerns your own account, or one that is confirmed to be yours."
        " Somebody else has to decide it."
    )


class CannotDecideRequest(NotAllowed):
    """Whoever decides is not the second person that the request needs."""

    code = "cannot_decide_request"

    def __init__(self, why: str, who: Mapping[str, Any]) -> None:
        """Say why not, and who may."""
        text = _("%(why)s Somebody else has to decide it: %(who)s.")
        super().__init__(
            text % {"why": why, "who": who["text"]},
            extra={"permission": who["permission"], "roles": who["roles"]},
        )


class RequestIsDecided(RuleViolation):
    """Somebody decided it, or its time is over."""

    code = "request_is_decided"

    def __init__(self, state: Any) -> None:
        super().__init__(
            _("This request is decided already (%(state)s).") % {"state": state},
        )


class CautionNotAnswered(InvalidInput):
    """Something speaks against the act: whoever approves says in words why it is right."""

    def __init__(self, caution: str) -> None:
        super().__init__("reason", caution, code="caution")


class RequestWaitsAlready(RuleViolation):
    """Another request of this kind waits for the same object."""

    code = "request_waits_already"
    default_detail = _(
        "Another request for the same object waits for a second person. "
        "It has to be decided or withdrawn first."
    )


class NotWhoAsked(NotAllowed):
    """Only whoever asked withdraws a request."""

    code = "not_who_asked"
    default_detail = _("Only who asked for it may withdraw a request.")


class SuperuserSwitchesPlace(NotAllowed):
    """Only a superuser may declare that one person of staff works here."""

    code = "superuser_switches_place"
    default_detail = _("Only a superuser may say that this place has one person of staff.")
