"""Every write of the desk; one file per aggregate."""

from support.services.assignment import agents, workload
from support.services.clocks import sweep
from support.services.faqs import delete_faq, save_faq, vote
from support.services.macros import apply_macro, save_macro
from support.services.mail_in import process_again, process_mail, store_mail
from support.services.mail_out import retry
from support.services.merging import (
    join_suggested,
    link_tickets,
    merge_tickets,
    split_ticket,
    unlink_tickets,
)
from support.services.policies import (
    apply_to_open,
    delete_policy,
    reapply,
    save_calendar,
    save_policy,
)
from support.services.ratings import rate_ticket
from support.services.replies import edit_reply, reply_as_customer, reply_as_staff
from support.services.templates import delete_template, render_for, save_template
from support.services.tickets import close_resolved, open_ticket, update_ticket

__all__ = [
    "agents",
    "apply_macro",
    "apply_to_open",
    "close_resolved",
    "delete_faq",
    "delete_policy",
    "delete_template",
    "edit_reply",
    "join_suggested",
    "link_tickets",
    "merge_tickets",
    "open_ticket",
    "process_again",
    "process_mail",
    "rate_ticket",
    "reapply",
    "render_for",
    "reply_as_customer",
    "reply_as_staff",
    "retry",
    "save_calendar",
    "save_faq",
    "save_macro",
    "save_policy",
    "save_template",
    "split_ticket",
    "store_mail",
    "sweep",
    "unlink_tickets",
    "update_ticket",
    "vote",
    "workload",
]
