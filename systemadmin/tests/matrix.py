"""Who may call the routes of the base app (superusers may always)."""

STAFF = {"support_agent", "marketplace_moderator", "risk_analyst", "operator", "auditor"}
MEMBERS = {"member"} | STAFF
EVERYONE = {"anonymous"} | MEMBERS

MATRIX = {
    "GET /api/health": EVERYONE,
    "GET /api/health/ready": EVERYONE,
    "POST /api/auth/logout": MEMBERS,
    "GET /api/auth/me": MEMBERS,
    "POST /api/auth/login": EVERYONE,
    "POST /api/auth/logout-all": MEMBERS,
    "POST /api/auth/password": MEMBERS,
    "GET /api/auth/sessions": MEMBERS,
    "DELETE /api/auth/sessions/{access_id}": MEMBERS,
    "POST /api/auth/2fa/setup": MEMBERS,
    "POST /api/auth/2fa/confirm": MEMBERS,
    "POST /api/auth/2fa/disable": MEMBERS,
    "POST /api/auth/2fa/recovery-codes": MEMBERS,
    "GET /api/admin/users/{user_id}/sessions": {"operator"},
    "DELETE /api/admin/users/{user_id}/sessions": {"operator"},
    "DELETE /api/admin/users/{user_id}/sessions/{access_id}": {"operator"},
    "POST /api/admin/users/{user_id}/password": {"operator"},
    "POST /api/admin/users/{user_id}/password-reset": {"operator"},
    "POST /api/admin/users/{user_id}/2fa/reset": {"operator"},
    "GET /api/admin/users/{user_id}/offboarding": set(),
    "POST /api/admin/users/{user_id}/offboarding": set(),
    "POST /api/admin/sessions/end-members": {"operator"},
    "POST /api/admin/demo/purge": {"operator"},
    "GET /api/admin/approvals": {"operator", "risk_analyst", "auditor"},
    "GET /api/admin/approvals/{id}": {"operator", "risk_analyst", "auditor"},
    "POST /api/admin/approvals/{id}/approve": {"operator", "risk_analyst"},
    "POST /api/admin/approvals/{id}/refuse": {"operator", "risk_analyst"},
    "POST /api/admin/approvals/{id}/withdraw": {"operator", "risk_analyst", "auditor"},
}
