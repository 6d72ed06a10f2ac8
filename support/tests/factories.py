"""Tickets and what belongs to them, made through the services as in life."""

from datetime import date

from support.models import Category, Mailbox
from support.services import open_ticket, save_calendar, save_faq, save_policy, save_template
from systemadmin.tests.factories import StaffFactory, UserFactory


def make_ticket(requester=None, **kwargs):
    """A member's ticket."""
    values = {"subject": "Where is my order?", "body": "It has not arrived.", "actor": None}
    if "requester_email" not in kwargs:
        values["requester"] = requester or UserFactory()
    return open_ticket(**{**values, **kwargs})


def make_agent(**kwargs):
    """A support agent."""
    return StaffFactory(role="support_agent", **kwargs)


def make_category(code="orders", **kwargs):
    """What tickets are about."""
    return Category.objects.create(code=code, name=code.title(), **kwargs)


def make_calendar(name="Office", **kwargs):
    """Monday to Friday with a lunch break, in Madrid."""
    day = [["09:00", "14:00"], ["15:00", "18:00"]]
    values = {
        "name": name,
        "timezone": "Europe/Madrid",
        "windows": {str(weekday): day for weekday in range(5)},
        "holidays": [date(2026, 12, 25).isoformat()],
    }
    return save_calendar(actor=None, values={**values, **kwargs})


def make_policy(name="Standard", **kwargs):
    """A promise: one, two and eight working hours unless told otherwise, day and night."""
    values = {
        "name": name,
        "calendar": kwargs.pop("calendar", None)
        or save_calendar(actor=None, values={"name": f"Always ({name})"}),
        "first_response_minutes": 60,
        "next_response_minutes": 120,
        "resolution_minutes": 480,
    }
    return save_policy(actor=None, values={**values, **kwargs})


def make_template(actor=None, **kwargs):
    """A prepared answer."""
    values = {
        "code": "thanks",
        "language": "en",
        "title": "Thanks",
        "body": "Hello {{user.first_name|there}}, about {{ticket.number}}.",
    }
    return save_template(actor=actor, values={**values, **kwargs})


def make_faq(actor=None, **kwargs):
    """A published question."""
    values = {"question": "How do I pay?", "answer": "With a **card**.", "is_published": True}
    return save_faq(actor=actor, values={**values, **kwargs})


def make_mailbox(address="support@atalaya.test", **kwargs):
    """An address of the desk, fed by the pipe."""
    return Mailbox.objects.create(address=address, **kwargs)
