"""Routes of this desk, below `/api/`."""

from django.urls import path

from support.api.knowledge import (
    BusinessCalendarViewSet,
    CategoryViewSet,
    FaqViewSet,
    InboundMailViewSet,
    MacroViewSet,
    OutboundMailViewSet,
    ReplyTemplateViewSet,
    SlaPolicyViewSet,
)
from support.api.member import MemberTicketViewSet, PublicFaqViewSet, TicketCategoryViewSet
from support.api.notices import (
    AgentNoticeViewSet,
    AgentPreferencesViewSet,
    BlockedSenderViewSet,
)
from support.api.reports import ReportViewSet
from support.api.tickets import TicketViewSet
from support.api.work import SavedViewViewSet
from systemadmin.foundation.api import Router

router = Router()
router.register("admin/tickets", TicketViewSet, basename="admin-ticket")
router.register("admin/ticket-views", SavedViewViewSet, basename="admin-ticket-view")
router.register("admin/reply-templates", ReplyTemplateViewSet, basename="admin-reply-template")
router.register("admin/macros", MacroViewSet, basename="admin-macro")
router.register("admin/faqs", FaqViewSet, basename="admin-faq")
router.register("admin/ticket-categories", CategoryViewSet, basename="admin-ticket-category")
router.register("admin/sla-policies", SlaPolicyViewSet, basename="admin-sla-policy")
router.register("admin/business-calendars", BusinessCalendarViewSet, basename="admin-calendar")
router.register("admin/inbound-mail", InboundMailViewSet, basename="admin-inbound-mail")
router.register("admin/outbound-mail", OutboundMailViewSet, basename="admin-outbound-mail")
router.register("admin/support/reports", ReportViewSet, basename="admin-support-report")
router.register("admin/support/notices", AgentNoticeViewSet, basename="admin-agent-notice")
router.register("admin/blocked-senders", BlockedSenderViewSet, basename="admin-blocked-sender")
router.register("tickets", MemberTicketViewSet, basename="ticket")
router.register("ticket-categories", TicketCategoryViewSet, basename="ticket-category")
router.register("faqs", PublicFaqViewSet, basename="faq")

preferences = AgentPreferencesViewSet.as_view({"get": "list", "put": "replace"})
urlpatterns = [path("admin/support/preferences", preferences), *router.urls]
