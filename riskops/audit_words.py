"""What the rows of the audit trail are about, as people read it, by the middle of the action."""

from django.utils.translation import pgettext_lazy

THINGS = [
    ("riskops.account", pgettext_lazy("audited", "Account")),
    ("riskops.accounts", pgettext_lazy("audited", "Accounts")),
    ("riskops.anomaly", pgettext_lazy("audited", "Anomaly")),
    ("riskops.anomaly_rule", pgettext_lazy("audited", "Anomaly rule")),
    ("riskops.cluster", pgettext_lazy("audited", "Cluster of accounts")),
    ("riskops.decision_feedback", pgettext_lazy("audited", "What became of a decision")),
    ("riskops.decision_rule", pgettext_lazy("audited", "Decision rule")),
    ("riskops.event_outcomes", pgettext_lazy("audited", "Outcomes of events")),
    ("riskops.events", pgettext_lazy("audited", "Account events")),
    ("riskops.file", pgettext_lazy("audited", "File of events")),
    ("riskops.identifier", pgettext_lazy("audited", "Identifier")),
    ("riskops.identifiers", pgettext_lazy("audited", "Identifiers")),
    ("riskops.ip_list", pgettext_lazy("audited", "List of addresses")),
    ("riskops.link_calibration", pgettext_lazy("audited", "Calibration of links")),
    ("riskops.list_entry", pgettext_lazy("audited", "Entry of a list")),
    ("riskops.outcome", pgettext_lazy("audited", "Outcome")),
    ("riskops.related_account", pgettext_lazy("audited", "Related accounts")),
    ("riskops.ruleset", pgettext_lazy("audited", "Risk rules")),
    ("riskops.score", pgettext_lazy("audited", "Risk score")),
]
