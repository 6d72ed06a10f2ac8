"""Routes of the base app, below `/api/`."""

from systemadmin.api.auth import AuthViewSet
from systemadmin.api.health import HealthViewSet
from systemadmin.foundation.api import Router

router = Router()
router.register("health", HealthViewSet, basename="health")
router.register("auth", AuthViewSet, basename="auth")

urlpatterns = router.urls
