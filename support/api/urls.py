"""Routes of this desk, below `/api/`."""

from systemadmin.foundation.api import Router

router = Router()

urlpatterns = router.urls
