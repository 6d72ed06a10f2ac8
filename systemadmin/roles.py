"""The shipped roles with their titles, and what they may do in the base app."""

from typing import Final

from django.utils.translation import gettext_lazy as _

# Every shipped role. What each may do stands in the `roles.py` of the apps.
ROLE_TITLES: Final = {
    "support_agent": _("Support agent"),
    "marketplace_moderator": _("Moderator"),
    "risk_analyst": _("Risk analyst"),
    "operator": _("Operator"),
    "auditor": _("Auditor"),
}


def role_title(names: str) -> str:
    """Return roles as the audit trail writes them, comma-separated names, in words."""
    titles = {**ROLE_TITLES, "member": _("Member")}
    return ", ".join(str(titles.get(name.strip(), name.strip())) for name in names.split(","))


# The platform may do for a member what the member asks for there.
SERVICE_PERMISSIONS = [
    "systemadmin.export_account",
    "systemadmin.erase_account",
    "systemadmin.view_publishedevent",
    "systemadmin.replay_webhookdelivery",
]

ROLES = {
    "support_agent": ["systemadmin.view_statistics", "systemadmin.view_user"],
    "marketplace_moderator": ["systemadmin.view_statistics", "systemadmin.view_user"],
    "risk_analyst": [
        "systemadmin.view_statistics",
        "systemadmin.view_user",
        "systemadmin.suspend_user",
        "systemadmin.verify_user",
        "systemadmin.view_personal_data",
        "systemadmin.view_legalhold",
        "systemadmin.add_legalhold",
        "systemadmin.change_legalhold",
        "systemadmin.lift_holds",
        "systemadmin.view_approvalrequest",
        "systemadmin.decide_approvalrequest",
        "systemadmin.export_account",
    ],
    "operator": [
        "systemadmin.view_legalhold",
        "systemadmin.add_legalhold",
        "systemadmin.change_legalhold",
        "systemadmin.view_approvalrequest",
        "systemadmin.decide_approvalrequest",
        "systemadmin.erase_account",
        "systemadmin.view_staffidentity",
        "systemadmin.view_servicekey",
        "systemadmin.add_servicekey",
        "systemadmin.change_servicekey",
        "systemadmin.manage_members",
        "systemadmin.act_for_member",
        "systemadmin.issue_member_token",
        "systemadmin.view_blockednetwork",
        "systemadmin.add_blockednetwork",
        "systemadmin.delete_blockednetwork",
        "systemadmin.view_statistics",
        "systemadmin.view_systemstatus",
        "systemadmin.view_retention",
        "systemadmin.view_user",
        "systemadmin.view_systemconfig",
        "systemadmin.change_systemconfig",
        "systemadmin.view_configurationchange",
        "systemadmin.view_maintenancewindow",
        "systemadmin.manage_maintenance",
        "systemadmin.view_alert",
        "systemadmin.view_alertrule",
        "systemadmin.change_alertrule",
        "systemadmin.view_alertsilence",
        "systemadmin.view_alertnotice",
        "systemadmin.change_alert",
        "systemadmin.view_notification",
        "systemadmin.change_notification",
        "systemadmin.view_batchfailure",
        "systemadmin.change_batchfailure",
        "systemadmin.view_auditentry",
        "systemadmin.view_auditverification",
        "systemadmin.end_sessions",
        "systemadmin.end_member_sessions",
        "systemadmin.set_password",
        "systemadmin.reset_two_factor",
        "systemadmin.suspend_user",
        "systemadmin.purge_demo",
        "systemadmin.view_publishedevent",
        "systemadmin.view_webhookendpoint",
        "systemadmin.add_webhookendpoint",
        "systemadmin.change_webhookendpoint",
        "systemadmin.delete_webhookendpoint",
        "systemadmin.view_webhookdelivery",
        "systemadmin.view_webhookattempt",
        "systemadmin.replay_webhookdelivery",
        "systemadmin.view_backup",
        "systemadmin.add_backup",
        "systemadmin.verify_backup",
        "systemadmin.download_backup",
        "systemadmin.restore_backup",
        "systemadmin.pin_backup",
        "systemadmin.view_backupverification",
        "systemadmin.view_restore",
        "django_q.view_ormq",
        "django_q.delete_ormq",
        "django_q.view_failure",
        "django_q.change_failure",
        "django_q.delete_failure",
        "django_q.view_schedule",
        "django_q.delete_schedule",
    ],
    "auditor": [
        "systemadmin.view_statistics",
        "systemadmin.view_personal_data",
        "django_q.view_ormq",
        "django_q.view_failure",
        "django_q.view_schedule",
    ],
}
