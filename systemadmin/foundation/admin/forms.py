"""Forms that actions of several admin pages ask with."""

from django import forms
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    """Ask for the reason of an act, in one line of 500 characters at most."""

    reason = forms.CharField(label=_("Reason"), max_length=500)
