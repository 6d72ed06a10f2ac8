"""The messaging desk's settings."""

from django.utils.translation import gettext_lazy as _

from messaging.quotas import DEFAULT_WINDOWS, Tier, parse_window
from systemadmin.foundation.configuration import Setting
from systemadmin.foundation.setting_values import check_rows

SETTINGS = [
    Setting(
        key="messaging.max_body_length",
        type=int,
        default=4000,
        min=100,
        max=20_000,
        description=_("Longest message, in characters."),
    ),
    Setting(
        key="messaging.edit_minutes",
        type=int,
        default=15,
        min=0,
        max=1440,
        description=_("How long after sending the author may edit a message."),
    ),
    Setting(
        key="messaging.unsend_minutes",
        type=int,
        default=15,
        min=0,
        max=1440,
        description=_("How long after sending the author may take a message back."),
    ),
    Setting(
        key="messaging.attachment_max_mb",
        type=int,
        default=10,
        min=1,
        max=100,
        description=_("Largest attachment, in megabytes."),
    ),
    Setting(
        key="messaging.quota_risky",
        type=list,
        default=list(DEFAULT_WINDOWS[Tier.RISKY]),
        check=check_rows(parse_window),
        description=_("What accounts at high risk may send, as limit/seconds rows."),
    ),
    Setting(
        key="messaging.quota_new",
        type=list,
        default=list(DEFAULT_WINDOWS[Tier.NEW]),
        check=check_rows(parse_window),
        description=_("What new accounts may send, as limit/seconds rows."),
    ),
    Setting(
        key="messaging.quota_standard",
        type=list,
        default=list(DEFAULT_WINDOWS[Tier.STANDARD]),
        check=check_rows(parse_window),
        description=_("What ordinary accounts may send, as limit/seconds rows."),
    ),
    Setting(
        key="messaging.quota_trusted",
        type=list,
        default=list(DEFAULT_WINDOWS[Tier.TRUSTED]),
        check=check_rows(parse_window),
        description=_("What verified accounts of some age may send, as limit/seconds rows."),
    ),
    Setting(
        key="messaging.new_account_days",
        type=int,
        default=7,
        min=0,
        max=365,
        description=_("An account counts as new for this many days."),
    ),
    Setting(
        key="messaging.trusted_account_days",
        type=int,
        default=30,
        min=0,
        max=3650,
        description=_("A verified account counts as trusted after this many days."),
    ),
    Setting(
        key="messaging.max_links",
        type=int,
        default=5,
        min=0,
        max=100,
        description=_("Most links in one message."),
    ),
    Setting(
        key="messaging.links_from_new",
        type="choice",
        default="answered",
        choices=["allowed", "answered", "refused"],
        description=_(
            "Links from new and risky accounts: always allowed, only to members who have "
            "written to them, or refused."
        ),
    ),
    Setting(
        key="messaging.refused_domains",
        type=list,
        default=[],
        description=_("Domains that no message may link to; their subdomains are included."),
    ),
    Setting(
        key="messaging.repeat_limit",
        type=int,
        default=5,
        min=1,
        max=1000,
        description=_("To how many members the same text may be sent within a day."),
    ),
    Setting(
        key="messaging.repeat_limit_new",
        type=int,
        default=2,
        min=1,
        max=1000,
        description=_("The same, for new and risky accounts."),
    ),
    Setting(
        key="messaging.excerpt_messages",
        type=int,
        default=5,
        min=0,
        max=50,
        description=_("How many earlier messages a report shows to staff."),
    ),
    Setting(
        key="messaging.notice_delay_minutes",
        type=int,
        default=15,
        min=1,
        max=1440,
        description=_("How long a message stays unread before its recipient is notified."),
    ),
    Setting(
        key="messaging.notice_gap_minutes",
        type=int,
        default=60,
        min=1,
        max=10_080,
        description=_("Shortest time between two notices to one member."),
    ),
    Setting(
        key="messaging.retention_days",
        type=int,
        default=1095,
        min=0,
        max=3650,
        description=_(
            "Messages expire after this many days; 0 keeps them, which the status page warns of."
        ),
    ),
    Setting(
        key="messaging.report_retention_days",
        type=int,
        default=365,
        min=30,
        max=3650,
        description=_("Excerpts of closed reports are erased after this many days."),
    ),
    Setting(
        key="messaging.stream_days",
        type=int,
        lowering_needs_second_person=True,
        default=7,
        min=1,
        max=90,
        description=_("How long a client may be away and still resume its event stream."),
    ),
    Setting(
        key="messaging.stream_wake",
        type="choice",
        default="auto",
        choices=["auto", "postgresql", "redis", "poll"],
        needs_restart=True,
        description=_(
            "What wakes event streams: PostgreSQL notifications, Redis, or polling. "
            "'auto' takes the first that the installation has."
        ),
    ),
    Setting(
        key="messaging.stream_minutes",
        type=int,
        default=60,
        min=1,
        max=1440,
        description=_("An event stream is closed after this long; clients resume at once."),
    ),
    Setting(
        key="messaging.stream_heartbeat_seconds",
        type=int,
        default=15,
        min=1,
        max=120,
        description=_("A sign of life on idle streams, so that proxies keep them open."),
    ),
    Setting(
        key="messaging.streams_per_member",
        type=int,
        default=8,
        min=1,
        max=100,
        description=_("Open streams of one member in one process; the oldest gives way."),
    ),
    Setting(
        key="messaging.streams_per_process",
        type=int,
        default=5000,
        min=1,
        max=100000,
        description=_("Open streams of one process; another one is refused with 429."),
    ),
    Setting(
        key="messaging.broadcast_chunk",
        type=int,
        default=500,
        min=10,
        max=5000,
        description=_("How many members one transaction of a broadcast reaches."),
    ),
]
