"""Who may call the routes of running the place."""

STAFF = {"support_agent", "marketplace_moderator", "risk_analyst", "operator", "auditor"}

MATRIX = {
    "GET /api/admin/blocked-ips": {"operator", "auditor"},
    "GET /api/admin/blocked-ips/{pk}": {"operator", "auditor"},
    "POST /api/admin/blocked-ips": {"operator"},
    "DELETE /api/admin/blocked-ips/{pk}": {"operator"},
    "GET /api/admin/stats/overview": STAFF,
    "GET /api/admin/stats/users": STAFF,
    "GET /api/admin/stats/transactions": STAFF,
    "GET /api/admin/system/status": {"operator", "auditor"},
    "GET /api/admin/system/metrics": {"operator", "auditor"},
    "GET /api/admin/alerts": {"operator", "auditor"},
    "GET /api/admin/alerts/{pk}": {"operator", "auditor"},
    "POST /api/admin/alerts/{pk}/acknowledge": {"operator"},
    "POST /api/admin/alerts/{pk}/silence": {"operator"},
    "GET /api/admin/maintenance": {"operator", "auditor"},
    "POST /api/admin/maintenance/enable": {"operator"},
    "POST /api/admin/maintenance/disable": {"operator"},
    "GET /api/admin/audit": {"operator", "auditor"},
    "GET /api/admin/audit/{pk}": {"operator", "auditor"},
    "GET /api/admin/audit/export": {"operator", "auditor"},
    "GET /api/admin/audit/verifications": {"operator", "auditor"},
    "GET /api/admin/audit/verifications/{pk}": {"operator", "auditor"},
    "GET /api/admin/audit/verifications/state": {"operator", "auditor"},
    "POST /api/admin/audit/verifications": {"operator", "auditor"},
    "GET /api/admin/config": {"operator", "auditor"},
    "PUT /api/admin/config": {"operator"},
    "GET /api/admin/config/history": {"operator", "auditor"},
    "POST /api/admin/config/history/{pk}/revert": {"operator"},
}
