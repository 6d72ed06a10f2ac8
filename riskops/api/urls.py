"""Routes of this desk, below `/api/`."""

from riskops.api.events import EventOutcomeViewSet, EventViewSet
from riskops.api.finding_urls import urlpatterns as finding_urls
from riskops.api.rulesets import RulesetViewSet
from riskops.api.scores import RiskScoreViewSet
from riskops.api.users import AccountViewSet
from systemadmin.foundation.api import Router

router = Router()
router.register("events", EventViewSet, basename="risk-event")
router.register("risk/outcomes", EventOutcomeViewSet, basename="event-outcome")
router.register("admin/users", AccountViewSet, basename="account")
router.register("admin/users", RiskScoreViewSet, basename="risk-score")
router.register("admin/risk/rulesets", RulesetViewSet, basename="risk-ruleset")

urlpatterns = [*router.urls, *finding_urls]
