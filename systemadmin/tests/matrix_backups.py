"""Who may call the routes of backups and restores."""

LOOK = {"operator", "auditor"}
ACT = {"operator"}

MATRIX = {
    "POST /api/admin/backup": ACT,
    "GET /api/admin/backups": LOOK,
    "GET /api/admin/backups/{pk}": LOOK,
    "GET /api/admin/backups/{pk}/download": set(),
    "POST /api/admin/backups/{pk}/verify": ACT,
    "POST /api/admin/backups/{pk}/pin": ACT,
    "POST /api/admin/backups/{pk}/unpin": ACT,
    "POST /api/admin/restore/{backup_id}": ACT,
    "GET /api/admin/restores": LOOK,
    "GET /api/admin/restores/{pk}": LOOK,
}
