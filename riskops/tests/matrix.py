"""Who may call the routes of the risk desk's core (superusers may always)."""

VIEWERS = {"support_agent", "marketplace_moderator", "risk_analyst", "operator", "auditor"}
ANALYSTS = {"risk_analyst"}
READERS = {"risk_analyst", "auditor"}

MATRIX = {
    "POST /api/events": set(),
    "POST /api/risk/outcomes": ANALYSTS,
    "GET /api/admin/users": VIEWERS,
    "GET /api/admin/users/{id}": VIEWERS,
    "POST /api/admin/users/{id}/suspend": {"risk_analyst", "operator"},
    "POST /api/admin/users/{id}/reinstate": {"risk_analyst", "operator"},
    "POST /api/admin/users/{id}/verify": ANALYSTS,
    "GET /api/admin/users/{id}/risk-score": VIEWERS,
    "POST /api/admin/users/{id}/risk-score/calculate": ANALYSTS,
    "GET /api/admin/users/{id}/risk-score/history": {"support_agent", "risk_analyst", "auditor"},
    "POST /api/admin/users/{id}/risk-score/override": ANALYSTS,
    "DELETE /api/admin/users/{id}/risk-score/override": ANALYSTS,
    "POST /api/admin/users/{id}/risk-score/outcome": ANALYSTS,
    "GET /api/admin/risk/rulesets": READERS,
    "POST /api/admin/risk/rulesets": ANALYSTS,
    "GET /api/admin/risk/rulesets/current": READERS,
    "GET /api/admin/risk/rulesets/{id}": READERS,
    "PUT /api/admin/risk/rulesets/{id}": ANALYSTS,
    "DELETE /api/admin/risk/rulesets/{id}": ANALYSTS,
    "POST /api/admin/risk/rulesets/{id}/publish": ANALYSTS,
}
