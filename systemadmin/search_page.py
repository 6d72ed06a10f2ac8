"""The search of the admin: one box for people, tickets, orders, pages and what one may do."""

from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from systemadmin.foundation.plugins import Hit, SearchSource, collect
from systemadmin.foundation.search_words import fold
from systemadmin.shell import Shell

LONGEST = 100
SHORTEST = 2  # a single letter begins half of all names; a digit may be a whole number
IN_PALETTE = 5
ON_PAGE = 25


@dataclass(frozen=True, slots=True)
class Group:
    """What one source found."""

    title: Any
    icon: str
    hits: list[Hit]


def search_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Return results as a page, or as the fragment that the palette shows."""
    text = " ".join(request.GET.get("q", "").replace("\0", " ").split())[:LONGEST]
    in_palette = request.headers.get("HX-Target") == "palette-list"
    context = site.each_context(request)
    shell: Shell = context["shell"]
    groups = found(request.user, text, IN_PALETTE if in_palette else ON_PAGE)
    groups += _pages(shell, text)
    context |= {
        "title": _("Search"),
        "query": text,
        "groups": groups,
        "number": sum(len(group.hits) for group in groups),
        "is_too_short": bool(text) and len(text) < SHORTEST and not text.isdigit(),
    }
    name = "search_results" if in_palette else "search"
    return TemplateResponse(request, f"admin/atalaya/{name}.html", context)


def found(user: Any, text: str, limit: int) -> list[Group]:
    """Return what the desks have, as far as this person may see it."""
    if len(text) < SHORTEST and not text.isdigit():
        return []
    sources: list[SearchSource] = sorted(collect("search_sources", "SOURCES"), key=_order)
    groups = [
        Group(source.title, source.icon, source.find(user, text, limit))
        for source in sources
        if user.has_perm(source.permission)
    ]
    return [group for group in groups if group.hits]


def _order(source: SearchSource) -> int:
    return source.order


def _pages(shell: Shell, text: str) -> list[Group]:
    """Return pages and things to add by any part of their names; desks when nothing is asked."""
    if not text:
        starts = [
            Hit(title=place.desk.title, url=place.url, icon=place.desk.icon)
            for place in shell.desks
        ]
        return [Group(_("Go to"), "arrow-right", starts)] if starts else []
    asked = fold(text).split()
    pages = [
        Hit(title=capfirst(str(page["title"])), url=page["url"], text=place.desk.title)
        for place in shell.desks
        for page in place.pages
        if _names(page["title"], asked)
    ]
    acts = [
        Hit(title=_("Add %(what)s") % {"what": _one_of(model)}, url=model["add_url"])
        for app in shell.apps
        for model in app["models"]
        if model.get("add_url") and _names(f"{model['name']} {_one_of(model)}", asked)
    ]
    groups = [Group(_("Go to"), "arrow-right", pages), Group(_("Do"), "plus", acts)]
    return [group for group in groups if group.hits]


def _names(title: Any, asked: list[str]) -> bool:
    """Return whether every word that was typed stands in the title."""
    folded = fold(str(title))
    return all(word in folded for word in asked)


def _one_of(model: dict[str, Any]) -> str:
    """Return the name of one thing of a model; Django's list of apps has that of many."""
    return str(model["model"]._meta.verbose_name)
