"""What the API answers with; the member's side has serializers of its own, without notes."""

from support.api.serializers.knowledge import (
    BusinessCalendarSerializer,
    FaqSerializer,
    PublicFaqSerializer,
    ReplyTemplateSerializer,
    SlaPolicySerializer,
    TicketMacroSerializer,
)
from support.api.serializers.mail import (
    DeliverySerializer,
    FileLinkSerializer,
    InboundMessageSerializer,
    OutboundMessageSerializer,
    QueuedSerializer,
)
from support.api.serializers.member import (
    MemberReplySerializer,
    MemberTicketDetailSerializer,
    MemberTicketSerializer,
)
from support.api.serializers.tickets import (
    LinkedTicketSerializer,
    ParticipantSerializer,
    RequesterSerializer,
    SuggestedTicketSerializer,
    TicketAttachmentSerializer,
    TicketCategoryFullSerializer,
    TicketCategorySerializer,
    TicketDetailSerializer,
    TicketEventSerializer,
    TicketPersonSerializer,
    TicketRatingSerializer,
    TicketReplySerializer,
    TicketSerializer,
)
from support.api.serializers.work import (
    ReplyDraftSerializer,
    SavedViewSerializer,
    TicketPresenceSerializer,
)

__all__ = [
    "BusinessCalendarSerializer",
    "DeliverySerializer",
    "FaqSerializer",
    "FileLinkSerializer",
    "InboundMessageSerializer",
    "LinkedTicketSerializer",
    "MemberReplySerializer",
    "MemberTicketDetailSerializer",
    "MemberTicketSerializer",
    "OutboundMessageSerializer",
    "ParticipantSerializer",
    "PublicFaqSerializer",
    "QueuedSerializer",
    "ReplyDraftSerializer",
    "ReplyTemplateSerializer",
    "RequesterSerializer",
    "SavedViewSerializer",
    "SlaPolicySerializer",
    "SuggestedTicketSerializer",
    "TicketAttachmentSerializer",
    "TicketCategoryFullSerializer",
    "TicketCategorySerializer",
    "TicketDetailSerializer",
    "TicketEventSerializer",
    "TicketMacroSerializer",
    "TicketPersonSerializer",
    "TicketPresenceSerializer",
    "TicketRatingSerializer",
    "TicketReplySerializer",
    "TicketSerializer",
]
