"""What the shipped roles may do on the desk."""

_KNOWLEDGE = [
    f"support.{verb}_{model}"
    for verb in ("view", "add", "change", "delete")
    for model in ("replytemplate", "macro", "faq")
]

ROLES = {
    "support_agent": [
        "support.view_ticket",
        "support.view_unassigned_tickets",
        "support.view_all_tickets",
        "support.add_ticket",
        "support.change_ticket",
        "support.reply_ticket",
        "support.assign_ticket",
        "support.merge_ticket",
        "support.view_reports",
        "support.view_category",
        "support.view_slapolicy",
        "support.view_businesscalendar",
        "support.view_slabreach",
        "support.view_ticketrating",
        "support.view_inboundmessage",
        "support.process_inboundmessage",
        "support.view_outboundmessage",
        "support.retry_outboundmessage",
        "support.view_mailbox",
        *_KNOWLEDGE,
    ],
    "operator": [
        "support.view_reports",
        *[
            f"support.{verb}_{model}"
            for verb in ("view", "add", "change", "delete")
            for model in ("slapolicy", "businesscalendar", "category", "mailbox", "agentstate")
        ],
        "support.view_inboundmessage",
        "support.process_inboundmessage",
        "support.view_outboundmessage",
        "support.retry_outboundmessage",
        "support.view_replytemplate",
        "support.view_faq",
        "support.view_slabreach",
    ],
}
