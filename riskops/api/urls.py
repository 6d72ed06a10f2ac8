"""Routes of this desk, below `/api/`."""

from riskops.api.finding_urls import urlpatterns as finding_urls
from systemadmin.foundation.api import Router

router = Router()

urlpatterns = [*router.urls, *finding_urls]
