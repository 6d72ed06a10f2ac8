"""What the shipped roles may do at the messaging desk."""

_REPORTS = [
    "messaging.view_messagereport",
    "messaging.handle_messagereport",
    "messaging.read_conversation",
    "messaging.view_block",
]

ROLES = {
    "support_agent": [*_REPORTS, "messaging.view_broadcast"],
    "marketplace_moderator": [*_REPORTS, "messaging.view_broadcast"],
    "risk_analyst": ["messaging.view_messagereport", "messaging.view_block"],
    "operator": [
        "messaging.view_broadcast",
        "messaging.add_broadcast",
        "messaging.change_broadcast",
        "messaging.send_broadcast",
        "messaging.view_mailbox",
        "messaging.view_conversation",
        "messaging.erase_messages",
    ],
}
