"""Templates, macros, questions with answers, and what the desk promises."""

from rest_framework import serializers

from support.api.serializers.tickets import TicketCategorySerializer
from support.markdown import render_markdown
from support.models import BusinessCalendar, Faq, Macro, ReplyTemplate, SlaPolicy


class ReplyTemplateSerializer(serializers.ModelSerializer):
    """A prepared answer."""

    class Meta:
        model = ReplyTemplate
        fields = [
            "id",
            "code",
            "language",
            "title",
            "body",
            "category",
            "is_active",
            "version",
            "created_at",
            "updated_at",
        ]


class TicketMacroSerializer(serializers.ModelSerializer):
    """An answer with what to do besides."""

    class Meta:
        model = Macro
        fields = [
            "id",
            "name",
            "template",
            "is_internal",
            "status",
            "priority",
            "assign",
            "agent",
            "add_tags",
            "is_active",
            "version",
        ]


class FaqSerializer(serializers.ModelSerializer):
    """A question with its answer, for staff."""

    class Meta:
        model = Faq
        fields = [
            "id",
            "question",
            "answer",
            "language",
            "category",
            "position",
            "is_published",
            "helpful_count",
            "unhelpful_count",
            "version",
            "created_at",
            "updated_at",
        ]


class PublicFaqSerializer(serializers.ModelSerializer):
    """A question with its answer, for everyone."""

    category = TicketCategorySerializer(allow_null=True)
    answer_html = serializers.SerializerMethodField()

    class Meta:
        model = Faq
        fields = [
            "id",
            "question",
            "answer",
            "answer_html",
            "language",
            "category",
            "helpful_count",
            "unhelpful_count",
            "updated_at",
        ]

    def get_answer_html(self, faq: Faq) -> str:
        return render_markdown(faq.answer)


class BusinessCalendarSerializer(serializers.ModelSerializer):
    """When the desk works."""

    class Meta:
        model = BusinessCalendar
        fields = ["id", "name", "timezone", "windows", "holidays", "version", "updated_at"]


class SlaPolicySerializer(serializers.ModelSerializer):
    """What the desk promises, in its present version."""

    current_version = serializers.IntegerField(source="current.number", default=None)

    class Meta:
        model = SlaPolicy
        fields = [
            "id",
            "name",
            "position",
            "is_active",
            "priority",
            "category",
            "calendar",
            "first_response_minutes",
            "next_response_minutes",
            "resolution_minutes",
            "escalate_to",
            "current_version",
            "version",
            "updated_at",
        ]
