"""Who may call the routes of links, clusters, identifiers, anomalies and the what-if."""

ANALYST = {"risk_analyst"}
READERS = {"risk_analyst", "auditor"}

MATRIX = {
    "GET /api/admin/users/{id}/related-accounts": READERS,
    "GET /api/admin/users/{id}/graph": READERS,
    "POST /api/admin/related-accounts/{id}/confirm": ANALYST,
    "POST /api/admin/related-accounts/{id}/dismiss": ANALYST,
    "POST /api/admin/related-accounts/{id}/reopen": ANALYST,
    "GET /api/admin/identifiers/{id}": READERS,
    "POST /api/admin/identifiers/{id}/share": ANALYST,
    "POST /api/admin/identifiers/{id}/unshare": ANALYST,
    "GET /api/admin/clusters": READERS,
    "GET /api/admin/clusters/{id}": READERS,
    "POST /api/admin/clusters/{id}/confirm": ANALYST,
    "POST /api/admin/clusters/{id}/dismiss": ANALYST,
    "POST /api/admin/clusters/{id}/suspend": ANALYST,
    "GET /api/admin/ip-ranges": READERS,
    "GET /api/admin/anomalies": READERS,
    "GET /api/admin/anomalies/{id}": READERS,
    "POST /api/admin/anomalies/{id}/resolve": ANALYST,
    "GET /api/admin/anomaly-rules": READERS,
    "POST /api/admin/anomaly-rules": ANALYST,
    "GET /api/admin/anomaly-rules/{id}": READERS,
    "PUT /api/admin/anomaly-rules/{id}": ANALYST,
    "PATCH /api/admin/anomaly-rules/{id}": ANALYST,
    "DELETE /api/admin/anomaly-rules/{id}": ANALYST,
    "POST /api/admin/anomaly-rules/{id}/exempt": ANALYST,
    "POST /api/admin/anomaly-rules/{id}/unexempt": ANALYST,
    "POST /api/admin/risk/rulesets/preview": ANALYST,
}
