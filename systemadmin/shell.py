"""What stands around every page of the admin: the desks, where one is, who one is."""

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from systemadmin.desk_counts import DeskCount, by_desk, waiting_for
from systemadmin.foundation.plugins import Desk, Worklist, collect
from systemadmin.preferences import has_single_keys, zone_of
from systemadmin.roles import ROLE_TITLES


@dataclass(slots=True)
class Place:
    """A desk as one person sees it: only the pages that person may open."""

    desk: Desk
    pages: list[dict[str, Any]] = field(default_factory=list)
    is_current: bool = False
    waits: DeskCount | None = None

    @property
    def url(self) -> str:
        """Return the address that the desk's icon leads to."""
        start = reverse(self.desk.start) if self.desk.start else ""
        addresses = [page["url"] for page in self.pages]
        return start if start in addresses else addresses[0]


class Shell:
    """The rail, the crumb and the person, worked out when a template asks for them."""

    def __init__(self, request: HttpRequest, apps: list[dict[str, Any]]) -> None:
        self.request = request
        self.apps = apps
        self.home = reverse("admin:index")
        self.is_home = request.path == self.home
        self.zone = zone_of(request)
        self.has_single_keys = has_single_keys(request)

    @cached_property
    def desks(self) -> list[Place]:
        """Return the desks that have a page for this person, in the order of the rail."""
        user: Any = self.request.user
        places = [Place(desk) for desk in sorted(collect("worklists", "DESKS"), key=_by_order)]
        for place in places:
            place.pages += [
                {"title": page.title, "url": reverse(page.view)}
                for page in place.desk.pages
                if user.has_perm(page.permission)
            ]
        by_label = {label: place for place in places for label in place.desk.models}
        self._add_queues(by_label)
        self._add_lists(by_label)
        places = [place for place in places if place.pages]
        counts = by_desk(waiting_for(user))
        for place in places:
            place.waits = counts.get(place.desk.code)
        self._mark(places)
        return places

    def _add_queues(self, by_label: dict[str, Place]) -> None:
        """Add the queues of the review desk, each to the desk of what waits in it."""
        user: Any = self.request.user
        for worklist in sorted(collect("worklists", "WORKLISTS"), key=_by_order):
            if worklist.queue is None or not user.has_perm(worklist.permission):
                continue
            label = worklist.queue.model.lower()
            owner = by_label.get(label) or by_label.get(label.partition(".")[0])
            if owner is not None:
                url = reverse("admin:review_queue", args=[worklist.queue.code])
                owner.pages.append({"title": worklist.title, "url": url})

    def _add_lists(self, by_label: dict[str, Place]) -> None:
        """Add the lists of the admin, each to the desk of its model."""
        for app in self.apps:
            for model in app["models"]:
                label = f"{app['app_label']}.{model['object_name'].lower()}"
                owner = by_label.get(label) or by_label.get(app["app_label"])
                if owner is not None and model.get("admin_url"):
                    owner.pages.append({"title": model["name"], "url": model["admin_url"]})

    def _mark(self, places: list[Place]) -> None:
        """Find the page that one is on: the longest address that begins this one."""
        here = self.request.path
        found = [
            (len(page["url"]), place, page)
            for place in places
            for page in place.pages
            if here.startswith(page["url"])
        ]
        if found:
            _length, place, page = max(found, key=lambda one: one[0])
            place.is_current = page["is_current"] = True
            return
        for place in places:
            roots = (f"{self.home}{label.partition('.')[0]}/" for label in place.desk.models)
            if any(here.startswith(root) for root in roots):
                place.is_current = True
                return

    @cached_property
    def here(self) -> Place | None:
        """Return the desk of this page."""
        return next((place for place in self.desks if place.is_current), None)

    @cached_property
    def role(self) -> str:
        """Return in words what this person is here."""
        user: Any = self.request.user
        names = sorted(user.groups.values_list("name", flat=True))
        if user.is_superuser or not names:
            return str(_("Administrator")) if user.is_superuser else ""
        return ", ".join(str(ROLE_TITLES.get(name, name)) for name in names)

    @property
    def shows_demo_banner(self) -> bool:
        """The whole sentence stands on the home page, a chip elsewhere."""
        return settings.DEMO_MODE and (self.is_home or not self.apps)


def _by_order(found: Desk | Worklist) -> int:
    return found.order
