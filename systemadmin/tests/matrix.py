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
}
