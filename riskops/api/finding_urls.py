"""Routes of links, clusters, identifiers, anomalies, the what-if and decisions."""

from __future__ import annotations

from riskops.api.anomalies import AnomalyRuleViewSet, AnomalyViewSet
from riskops.api.decisions import (
    DecisionRuleViewSet,
    DecisionStreamViewSet,
    DecisionViewSet,
    ListEntryViewSet,
)
from riskops.api.links import (
    AccountLinksViewSet,
    ClusterViewSet,
    IdentifierViewSet,
    IpRangeViewSet,
    RelatedAccountViewSet,
)
from riskops.api.preview import PreviewViewSet
from systemadmin.foundation.api import Router

router = Router()
router.register("admin/users", AccountLinksViewSet, basename="account-links")
router.register("admin/related-accounts", RelatedAccountViewSet, basename="related-accounts")
router.register("admin/identifiers", IdentifierViewSet, basename="identifiers")
router.register("admin/clusters", ClusterViewSet, basename="clusters")
router.register("admin/ip-ranges", IpRangeViewSet, basename="ip-ranges")
router.register("admin/anomalies", AnomalyViewSet, basename="anomalies")
router.register("admin/anomaly-rules", AnomalyRuleViewSet, basename="anomaly-rules")
router.register("admin/risk/rulesets/preview", PreviewViewSet, basename="ruleset-preview")
router.register("risk/decisions", DecisionViewSet, basename="decision")
router.register("admin/risk/decisions", DecisionStreamViewSet, basename="decision-stream")
router.register("admin/risk/decision-rules", DecisionRuleViewSet, basename="decision-rule")
router.register("admin/risk/list-entries", ListEntryViewSet, basename="list-entry")

urlpatterns = router.urls
