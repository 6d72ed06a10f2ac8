"""Settings of the risk desk that staff change at run time."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.configuration import Setting
from systemadmin.foundation.retention import days_setting
from systemadmin.foundation.setting_values import check_networks

SETTINGS = [
    Setting(
        key="riskops.clock_skew_seconds",
        type=int,
        raising_needs_second_person=True,
        default=300,
        min=0,
        max=86_400,
        description=_("How far in the future an event may lie before it is refused."),
    ),
    Setting(
        key="riskops.links_match_ip",
        type=int,
        lowering_needs_second_person=True,
        default=30,
        min=1,
        max=100,
        description=_("Share of same-owner pairs that have an IP address in common, in percent."),
    ),
    Setting(
        key="riskops.links_match_subnet",
        type=int,
        lowering_needs_second_person=True,
        default=35,
        min=1,
        max=100,
        description=_("Share of same-owner pairs that have a subnet in common, in percent."),
    ),
    Setting(
        key="riskops.links_match_device",
        type=int,
        lowering_needs_second_person=True,
        default=60,
        min=1,
        max=100,
        description=_("Share of same-owner pairs that have a device in common, in percent."),
    ),
    Setting(
        key="riskops.links_match_wallet",
        type=int,
        lowering_needs_second_person=True,
        default=80,
        min=1,
        max=100,
        description=_("Share of same-owner pairs that have a wallet in common, in percent."),
    ),
    Setting(
        key="riskops.links_crowd_cap",
        type=int,
        lowering_needs_second_person=True,
        default=50,
        min=2,
        max=500,
        description=_("An identifier behind more accounts than this links nobody."),
    ),
    Setting(
        key="riskops.links_min_strength",
        type=int,
        raising_needs_second_person=True,
        default=20,
        min=1,
        max=100,
        description=_("Pairs of accounts weaker than this are not kept."),
    ),
    Setting(
        key="riskops.cluster_size_guard",
        type=int,
        lowering_needs_second_person=True,
        default=300,
        min=2,
        max=1000,
        description=_("No merge of suspected accounts makes a cluster larger than this."),
    ),
    Setting(
        key="riskops.exemption_days",
        type=int,
        raising_needs_second_person=True,
        default=30,
        min=1,
        max=365,
        description=_(
            "Days for which one person alone exempts an account from an anomaly rule or sets its "
            "score lower; an exemption without an end lasts so long."
        ),
    ),
    Setting(
        key="riskops.own_proxies",
        type=list,
        adding_needs_second_person=True,
        default=[],
        description=_("Addresses and networks of the site's own proxies: they are no evidence."),
        check=check_networks,
    ),
    Setting(
        key="risk.decision_timeout_ms",
        type=int,
        default=300,
        min=20,
        max=10_000,
        description=_("Milliseconds in which a decision is answered; after them by default."),
        lowering_needs_second_person=True,
    ),
    Setting(
        key="risk.decision_default",
        type="choice",
        default="review",
        choices=("allow", "review", "step_up", "block"),
        description=_("What is answered when there is no decision in time."),
        changing_needs_second_person=True,
    ),
    Setting(
        key="ratelimit.riskops.decide",
        type="rate",
        default="6000/m",
        description=_("Decisions a service may ask for."),
    ),
    Setting(
        key="ratelimit.riskops.ingest",
        type="rate",
        default="600/m",
        description=_("Batches of account events a service may send."),
    ),
    days_setting(
        "retention.event_days",
        default=400,
        least=400,
        description=_(
            "Days after which account events are deleted. Counters, first and last moments, "
            "identifiers and countries of each account are kept, and scores do not change. Rules "
            "look back up to 366 days. 0 keeps them."
        ),
    ),
    days_setting(
        "retention.decision_days",
        default=400,
        least=30,
        description=_("Days after which decisions in the moment are deleted; 0 keeps them."),
    ),
    days_setting(
        "retention.anomaly_hit_days",
        default=400,
        least=30,
        description=_(
            "Days after which single hits of resolved anomalies are deleted, once the events they "
            "were found in are gone; the anomaly stays. 0 keeps them."
        ),
    ),
    days_setting(
        "retention.score_detail_days",
        default=90,
        least=30,
        description=_(
            "Days for which every change of a score is kept; of older ones the last of each day "
            "(UTC) stays, with their number. 0 keeps all."
        ),
    ),
    days_setting(
        "retention.score_history_days",
        default=1825,
        least=400,
        description=_("Days after which changes of scores are deleted; 0 keeps them."),
    ),
    days_setting(
        "retention.load_days",
        default=400,
        least=30,
        description=_(
            "Days after which records of finished loads of files and of recomputes are deleted; 0 "
            "keeps them."
        ),
    ),
    days_setting(
        "retention.refused_file_days",
        default=30,
        least=1,
        description=_(
            "Days after which files of refused rows in the data folder are deleted; 0 keeps them."
        ),
    ),
]
