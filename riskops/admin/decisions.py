"""What staff may decide about an account: on the pages of accounts and of their scores alike."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from riskops.links.notes import add_note
from riskops.models import RiskScore
from riskops.models.scores import Verdict
from riskops.scores.calculate import calculate_score
from riskops.scores.outcomes import record_outcome
from riskops.scores.overrides import override_score, remove_override
from systemadmin.foundation.admin import form_action, service_action
from systemadmin.models import User
from systemadmin.services import reinstate_user, suspend_user

SUSPEND = "systemadmin.suspend_user"


class OverrideForm(forms.Form):
    """A score to set, why, and until when."""

    score = forms.IntegerField(label=_("score"), min_value=0, max_value=100)
    reason = forms.CharField(label=_("reason"), max_length=1000, widget=forms.Textarea)
    expires_at = forms.DateTimeField(
        label=_("expires at"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )


class WhyForm(forms.Form):
    """Ask for an optional reason."""

    reason = forms.CharField(label=_("reason"), max_length=1000, required=False)


class OutcomeForm(forms.Form):
    """What the account turned out to be."""

    verdict = forms.ChoiceField(label=_("verdict"), choices=Verdict.choices)
    note = forms.CharField(label=_("note"), max_length=1000, required=False)


class VerdictNoteForm(forms.Form):
    """Why, for those who read the account later."""

    note = forms.CharField(label=_("note"), max_length=1000, required=False)


class SuspendForm(forms.Form):
    """Why, and until when."""

    reason = forms.CharField(label=_("reason"), max_length=400, help_text=_("The member reads it."))
    until = forms.DateTimeField(
        label=_("until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text=_("Empty: until somebody lifts it."),
    )


class AccountNoteForm(forms.Form):
    """What colleagues should know."""

    body = forms.CharField(
        label=_("note"), max_length=10_000, widget=forms.Textarea(attrs={"rows": 3})
    )


def _account(found: Any) -> User:
    return found.account if isinstance(found, RiskScore) else found


def _is_suspended(found: Any) -> bool:
    return _account(found).is_suspended


def _is_free(found: Any) -> bool:
    return not _is_suspended(found)


def _is_overridden(found: Any) -> bool:
    score = found if isinstance(found, RiskScore) else getattr(found, "risk_score", None)
    return score is not None and score.override_id is not None


class AccountDecisions:
    """Actions over an account, each one service call."""

    @service_action(description=_("Recalculate"), perm="riskops.calculate_riskscore")
    def recalculate(self, request: Any, obj: Any) -> None:
        calculate_score(account=_account(obj), actor=request.user)

    @form_action(
        description=_("Override the score…"),
        perm="riskops.override_riskscore",
        form=OverrideForm,
        key="o",
    )
    def override(self, request: Any, obj: Any, data: dict[str, Any]) -> None:
        override_score(
            actor=request.user,
            account=_account(obj),
            score=data["score"],
            reason=data["reason"],
            expires_at=data["expires_at"],
        )

    @form_action(
        description=_("Remove the override…"),
        perm="riskops.override_riskscore",
        form=WhyForm,
        applies=_is_overridden,
    )
    def lift_override(self, request: Any, obj: Any, data: dict[str, Any]) -> None:
        remove_override(actor=request.user, account=_account(obj), reason=data["reason"])

    @form_action(
        description=_("Record an outcome…"), perm="riskops.record_riskoutcome", form=OutcomeForm
    )
    def give_outcome(self, request: Any, obj: Any, data: dict[str, Any]) -> None:
        record_outcome(
            actor=request.user,
            account=_account(obj),
            verdict=data["verdict"],
            note=data["note"],
        )

    @form_action(
        description=_("Legitimate"),
        perm="riskops.record_riskoutcome",
        form=VerdictNoteForm,
        key="y",
    )
    def legitimate(self, request: Any, obj: Any, data: dict[str, Any]) -> None:
        """Nothing is wrong with the account; the rules learn from it."""
        record_outcome(
            actor=request.user, account=_account(obj), verdict=Verdict.LEGITIMATE, **data
        )

    @form_action(
        description=_("Fraud"),
        perm="riskops.record_riskoutcome",
        form=VerdictNoteForm,
        key="f",
        tone="badline",
    )
    def fraud(self, request: Any, obj: Any, data: dict[str, Any]) -> None:
        """Record the account as a fraud; the rules and its links learn from it."""
        record_outcome(
            actor=request.user, account=_account(obj), verdict=Verdict.CONFIRMED_FRAUD, **data
        )

    @form_action(
        description=_("Suspend"),
        perm=SUSPEND,
        form=SuspendForm,
        applies=_is_free,
        key="s",
        tone="danger",
    )
    def suspend(self, request: Any, obj: Any, data: dict[str, Any]) -> None:
        """Signed out everywhere, and not let in again."""
        suspend_user(actor=request.user, user=_account(obj), **data)

    @form_action(
        description=_("Lift the suspension"), perm=SUSPEND, form=WhyForm, applies=_is_suspended
    )
    def reinstate(self, request: Any, obj: Any, data: dict[str, Any]) -> None:
        """Lift the suspension, so that the account can sign in again."""
        reinstate_user(actor=request.user, user=_account(obj), reason=data["reason"])

    @form_action(
        description=_("Write a note"), perm="riskops.add_accountnote", form=AccountNoteForm, key="n"
    )
    def write_note(self, request: Any, obj: Any, data: dict[str, Any]) -> None:
        """For whoever looks at the account next."""
        add_note(actor=request.user, account=_account(obj), body=data["body"])
