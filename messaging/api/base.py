"""What the desk's endpoints share: they all act for the member who calls."""

from typing import Any, cast

from systemadmin.foundation.api import MemberViewSet
from systemadmin.models import User


class OwnViewSet(MemberViewSet):
    """Endpoints about the caller's own messages."""

    @property
    def viewer(self) -> User:
        """The member who calls; access was checked before any handler runs."""
        return cast(User, self.request.user)

    def get_serializer_context(self) -> dict[str, Any]:
        """Add who looks, which serializers need to know."""
        return {**super().get_serializer_context(), "viewer_id": self.viewer.pk}
