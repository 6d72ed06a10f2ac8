"""Names of operations in the schema as people would choose them: `payOrder`, `listTickets`.

Most follow from method and path. `NAMES` has those that do not read well by rule. Where staff and
members have the same call, the staff's ends in `AsStaff`. Generated clients name their functions
after these: a changed name is a change of the interface (docs/clients.md).
"""

import re
from typing import Any, Final

METHODS: Final = ("get", "post", "put", "patch", "delete")
SUFFIX: Final = "AsStaff"
_VERBS: Final = {"put": "replace", "patch": "update", "delete": "delete"}
_IRREGULAR: Final = {"ips": "ip", "faqs": "faq", "fees": "fee", "status": "status", "dac7": "dac7"}

NAMES: Final = {
    "GET /api/admin/audit": "listAuditEntries",
    "GET /api/admin/audit/{id}": "getAuditEntry",
    "GET /api/admin/audit/export": "exportAuditEntries",
    "GET /api/admin/audit/verifications/state": "getAuditState",
    "POST /api/admin/backup": "createBackup",
    "POST /api/admin/restore/{backup_id}": "restoreBackup",
    "GET /api/admin/commission-rules/lint": "lintCommissionRules",
    "POST /api/admin/commission-rules/preview": "previewCommissionRules",
    "POST /api/admin/commission-rules/reorder": "reorderCommissionRules",
    "GET /api/admin/commissions": "getCommissions",
    "GET /api/admin/commissions/export": "exportCommissions",
    "POST /api/admin/commissions/quote": "quoteCommission",
    "GET /api/admin/config": "getSettings",
    "PUT /api/admin/config": "changeSettings",
    "GET /api/admin/config/history": "listSettingChanges",
    "POST /api/admin/config/history/{id}/revert": "revertSettingChange",
    "POST /api/admin/demo/purge": "purgeDemo",
    "GET /api/admin/disputes/{id}/evidence-pack": "downloadEvidencePack",
    "POST /api/admin/disputes/{id}/messages": "sendDisputeMessageAsStaff",
    "GET /api/admin/disputes/{id}/messages/{message_id}/evidence": "downloadEvidenceAsStaff",
    "GET /api/admin/events": "listEvents",
    "GET /api/admin/inbound-mail": "listInboundMail",
    "GET /api/admin/inbound-mail/{id}/raw": "downloadInboundMail",
    "GET /api/admin/outbound-mail": "listOutboundMail",
    "GET /api/admin/journal": "listJournalEntries",
    "POST /api/admin/journal": "createJournalEntry",
    "GET /api/admin/journal/{id}": "getJournalEntry",
    "GET /api/admin/journal/{id}/attachment": "downloadJournalAttachment",
    "POST /api/admin/journal/{id}/reverse": "reverseJournalEntry",
    "GET /api/admin/ledger": "listLedgerEntries",
    "GET /api/admin/ledger/balances": "getLedgerBalances",
    "GET /api/admin/ledger/dac7": "exportDac7Report",
    "GET /api/admin/ledger/export": "exportLedger",
    "POST /api/admin/maintenance/disable": "endMaintenance",
    "POST /api/admin/maintenance/enable": "startMaintenance",
    "POST /api/admin/members/batch": "upsertMembers",
    "PUT /api/admin/members/{external_id}": "upsertMember",
    "POST /api/admin/orders": "importOrder",
    "POST /api/admin/orders/batch": "importOrders",
    "POST /api/admin/orders/{id}/chargeback": "recordChargeback",
    "GET /api/admin/payout-batches/{id}/file": "downloadPayoutFile",
    "POST /api/admin/payout-batches/{id}/mark-paid": "markPayoutBatchPaid",
    "POST /api/admin/payouts/{id}/mark-failed": "markPayoutFailed",
    "POST /api/admin/payouts/{id}/mark-paid": "markPayoutPaid",
    "POST /api/admin/payment-hooks/{id}/rotate-secret": "rotatePaymentHookSecret",
    "POST /api/admin/product-revisions/{id}/request-changes": "requestProductRevisionChanges",
    "POST /api/admin/products/{id}/request-changes": "requestProductChanges",
    "POST /api/admin/products/batch": "pushProducts",
    "GET /api/admin/retention": "getRetention",
    "GET /api/admin/risk/rulesets/current": "getCurrentRuleset",
    "POST /api/admin/risk/rulesets/preview": "previewRuleset",
    "GET /api/admin/sales": "getSales",
    "GET /api/admin/sales/export": "exportSales",
    "GET /api/admin/seller-statements/{id}/pdf": "downloadSellerStatementAsStaff",
    "GET /api/admin/commission-invoices/{id}/pdf": "downloadCommissionInvoice",
    "GET /api/admin/sellers/{id}/holds": "listSellerHolds",
    "POST /api/admin/service-keys/{id}/hand-over": "handOverServiceKey",
    "POST /api/admin/sessions/end-members": "endMemberSessions",
    "POST /api/admin/member-tokens": "issueMemberToken",
    "GET /api/admin/stats/overview": "getOverview",
    "GET /api/admin/stats/transactions": "getTransactionStats",
    "GET /api/admin/stats/users": "getUserStats",
    "GET /api/admin/support/notices": "listSupportNotices",
    "POST /api/admin/support/notices/seen": "markSupportNoticesSeen",
    "GET /api/admin/support/reports": "getSupportReports",
    "GET /api/admin/support/reports/csv": "exportSupportReports",
    "GET /api/admin/support/preferences": "getSupportPreferences",
    "PUT /api/admin/support/preferences": "replaceSupportPreferences",
    "GET /api/admin/system/metrics": "getMetrics",
    "GET /api/admin/system/status": "getSystemStatus",
    "GET /api/admin/tickets/{id}/attachments/{attachment_id}": "downloadTicketAttachmentAsStaff",
    "GET /api/admin/tickets/{id}/attachments/{attachment_id}/inline": "showTicketPictureAsStaff",
    "POST /api/admin/tickets/{id}/macro": "applyMacro",
    "POST /api/admin/tickets/{id}/not-spam": "markTicketNotSpam",
    "POST /api/admin/tickets/{id}/spam": "markTicketSpam",
    "POST /api/admin/tickets/{id}/participants": "addTicketParticipant",
    "DELETE /api/admin/tickets/{id}/participants/{participant_id}": "removeTicketParticipant",
    "POST /api/admin/tickets/{id}/presence": "announcePresence",
    "GET /api/admin/tickets/{id}/replies/{reply_id}/original": "getOriginalMailAsStaff",
    "POST /api/admin/tickets/{id}/reply": "replyToTicketAsStaff",
    "POST /api/admin/users/{user_id}/2fa/reset": "resetTwoFactor",
    "POST /api/admin/users/{user_id}/erasure": "eraseUser",
    "GET /api/admin/users/{user_id}/erasure": "getUserErasure",
    "POST /api/admin/users/{user_id}/export": "exportUser",
    "GET /api/admin/users/{user_id}/export": "listUserExports",
    "GET /api/admin/users/{user_id}/export/{export_id}": "getUserExport",
    "GET /api/admin/users/{user_id}/export/{export_id}/download": "downloadUserExport",
    "GET /api/admin/users/{user_id}/offboarding": "listOffboardings",
    "POST /api/admin/users/{user_id}/offboarding": "offboardUser",
    "POST /api/admin/users/{user_id}/password": "setUserPassword",
    "POST /api/admin/users/{user_id}/password-reset": "sendPasswordReset",
    "GET /api/admin/users/{id}/graph": "getUserGraph",
    "POST /api/admin/users/{id}/risk-score/calculate": "calculateRiskScore",
    "GET /api/admin/users/{id}/risk-score": "getRiskScore",
    "GET /api/admin/users/{id}/risk-score/history": "listRiskScores",
    "POST /api/admin/users/{id}/risk-score/outcome": "recordRiskOutcome",
    "POST /api/admin/users/{id}/risk-score/override": "overrideRiskScore",
    "DELETE /api/admin/users/{id}/risk-score/override": "endRiskScoreOverride",
    "DELETE /api/admin/users/{user_id}/sessions": "endUserSessions",
    "DELETE /api/admin/users/{user_id}/sessions/{access_id}": "endUserSession",
    "POST /api/admin/webhook-endpoints/{id}/replay": "replayEvents",
    "POST /api/admin/webhook-endpoints/{id}/rotate-secret": "rotateWebhookSecret",
    "POST /api/admin/webhook-endpoints/{id}/test": "sendTestEvent",
    "POST /api/auth/2fa/confirm": "confirmTwoFactor",
    "POST /api/auth/2fa/disable": "disableTwoFactor",
    "POST /api/auth/2fa/recovery-codes": "replaceRecoveryCodes",
    "POST /api/auth/2fa/setup": "setUpTwoFactor",
    "POST /api/auth/login": "login",
    "POST /api/auth/logout": "logout",
    "POST /api/auth/logout-all": "logoutEverywhere",
    "GET /api/auth/me": "getMe",
    "POST /api/auth/password": "changePassword",
    "GET /api/auth/sessions": "listSessions",
    "DELETE /api/auth/sessions/{access_id}": "endSession",
    "POST /api/events": "sendEvents",
    "POST /api/faqs/{id}/vote": "voteOnFaq",
    "GET /api/health": "getHealth",
    "GET /api/health/ready": "getReadiness",
    "POST /api/hooks/{name}": "receivePaymentEvent",
    "POST /api/me/export": "exportMe",
    "GET /api/me/export": "getMyExport",
    "GET /api/me/export/download": "downloadMyExport",
    "GET /api/messages/{id}/attachment": "downloadMessageAttachment",
    "POST /api/messages/blocks": "blockUser",
    "GET /api/messages/blocks": "listBlockedUsers",
    "DELETE /api/messages/blocks/{user_id}": "unblockUser",
    "GET /api/messages/conversations": "listConversations",
    "POST /api/messages/conversations/{user_id}/mute": "muteConversation",
    "DELETE /api/messages/conversations/{user_id}/mute": "unmuteConversation",
    "GET /api/messages/export": "exportMessages",
    "POST /api/messages/{id}/unread": "markMessageUnread",
    "GET /api/messages/preferences": "getMessagePreferences",
    "PUT /api/messages/preferences": "replaceMessagePreferences",
    "GET /api/messages/{id}/revisions": "listMessageRevisions",
    "GET /api/messages/search": "searchMessages",
    "POST /api/messages": "sendMessage",
    "GET /api/messages/stream": "streamMessages",
    "GET /api/messages/unread-count": "getUnreadCount",
    "GET /api/messages/{user_id}": "listMessages",
    "POST /api/orders/{id}/dispute": "openDispute",
    "POST /api/orders/{id}/dispute/messages": "sendDisputeMessage",
    "GET /api/orders/{id}/dispute/messages": "listDisputeMessages",
    "GET /api/orders/{id}/dispute/messages/{message_id}/evidence": "downloadEvidence",
    "GET /api/products/mine": "listMyProducts",
    "POST /api/products/{id}/images": "addProductImage",
    "GET /api/products/{id}/images/{key}": "downloadProductImage",
    "POST /api/risk/decisions": "decide",
    "POST /api/risk/decisions/{id}/feedback": "sendDecisionFeedback",
    "POST /api/risk/outcomes": "sendOutcomes",
    "GET /api/seller/balance": "getMyBalance",
    "GET /api/seller/invoices": "listMyInvoices",
    "GET /api/seller/invoices/{id}": "getMyInvoice",
    "GET /api/seller/invoices/{id}/pdf": "downloadMyInvoice",
    "GET /api/seller/payouts": "listMyPayouts",
    "GET /api/seller/payouts/{id}": "getMyPayout",
    "GET /api/seller/profile": "getMySellerProfile",
    "PUT /api/seller/profile": "replaceMySellerProfile",
    "GET /api/seller/statements": "listMyStatements",
    "GET /api/seller/statements/{id}": "getMyStatement",
    "GET /api/seller/statements/{id}/pdf": "downloadMyStatement",
    "GET /api/tickets/{id}/attachments/{attachment_id}": "downloadTicketAttachment",
    "GET /api/tickets/{id}/attachments/{attachment_id}/inline": "showTicketPicture",
    "POST /api/tickets/{id}/rating": "rateTicket",
    "GET /api/tickets/{id}/replies/{reply_id}/original": "getOriginalMail",
    "POST /api/tickets/{id}/reply": "replyToTicket",
    "POST /api/admin/anomaly-rules/{id}/exempt": "exemptFromAnomalyRule",
    "POST /api/admin/anomaly-rules/{id}/unexempt": "endAnomalyRuleExemption",
    "POST /api/admin/tickets/{id}/file-links/{link_id}/revoke": "revokeTicketFileLink",
    "POST /api/admin/approvals/{id}/approve": "grantApproval",
    "GET /api/admin/backups/{id}/download": "downloadBackup",
}


def name_operations(result: dict[str, Any], generator: Any, request: Any, public: bool) -> Any:
    """Post-processing hook: give every operation its name."""
    named: dict[str, dict[str, Any]] = {}
    paths = sorted(result["paths"].items(), key=lambda pair: pair[0].startswith("/api/admin/"))
    for path, item in paths:
        for method in METHODS:
            if method not in item:
                continue
            name = operation_name(method, path, is_list=_is_list(item[method]["operationId"]))
            if name in named and path.startswith("/api/admin/"):
                name += SUFFIX
            if name in named:
                continue  # a test says so: it needs a name of its own in NAMES
            named[name] = item[method]
            item[method]["operationId"] = name
    return result


def _is_list(generated: str) -> bool:
    return generated.endswith("_list")


def operation_name(method: str, path: str, *, is_list: bool) -> str:
    """Return the name of one operation, before it is known whether another has it."""
    if known := NAMES.get(f"{method.upper()} {path}"):
        return known
    parts = path.removeprefix("/api/").removeprefix("admin/").split("/")
    words = [part for part in parts if not part.startswith("{")]
    if method == "post" and len(words) > 1 and "{" in parts[-2]:
        return _camel([words[-1], *map(_singular, words[:-1])])  # an act on one object
    if is_list:
        return _camel(["list", *map(_singular, words[:-1]), words[-1]])
    verb = {"get": "get", "post": "create", **_VERBS}[method]
    return _camel([verb, *map(_singular, words)])


def _singular(words: str) -> str:
    *first, last = words.split("-")
    if last in _IRREGULAR:
        last = _IRREGULAR[last]
    elif last.endswith("ies"):
        last = f"{last[:-3]}y"
    elif last.endswith("ches"):
        last = last[:-2]
    elif last.endswith("s") and not last.endswith("ss"):
        last = last[:-1]
    return "-".join([*first, last])


def _camel(words: list[str]) -> str:
    first, *others = [part for word in words for part in re.split("[-_]", word) if part]
    return first + "".join(part[:1].upper() + part[1:] for part in others)
