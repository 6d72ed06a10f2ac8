"""What the shipped roles may do in the base app."""

ROLES = {
    "support_agent": ["systemadmin.view_user"],
    "marketplace_moderator": ["systemadmin.view_user"],
    "risk_analyst": [
        "systemadmin.view_user",
        "systemadmin.suspend_user",
        "systemadmin.verify_user",
        "systemadmin.view_personal_data",
    ],
    "operator": [
        "systemadmin.view_user",
        "systemadmin.view_systemconfig",
        "systemadmin.change_systemconfig",
        "systemadmin.view_configurationchange",
        "systemadmin.view_maintenancewindow",
        "systemadmin.manage_maintenance",
        "systemadmin.view_alert",
        "systemadmin.change_alert",
        "systemadmin.view_notification",
        "systemadmin.view_auditentry",
        "systemadmin.end_sessions",
        "systemadmin.end_member_sessions",
        "systemadmin.set_password",
        "systemadmin.reset_two_factor",
        "systemadmin.suspend_user",
        "systemadmin.purge_demo",
    ],
    "auditor": ["systemadmin.view_personal_data"],
}
