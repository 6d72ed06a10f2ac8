"""Reply templates: variables replaced from a fixed list, nothing evaluated."""

import re
from collections.abc import Iterable, Iterator, Mapping

# {{ticket.number}}, {{ user.first_name|friend }}: a name and, after a bar, words for "not known".
VARIABLE = re.compile(r"\{\{\s*([a-z][a-z_.]{0,60})\s*(?:\|([^{}]{0,100}))?\}\}")
OPENED = re.compile(r"\{\{|\{%")
CLOSES = {"{{": "}}", "{%": "%}"}
# A value must not become a heading, a link or emphasis of the answer it is put into.
MARKUP = re.compile(r"([\\`*_\[\]<>#!|~&])")

VARIABLES = (
    "ticket.number",
    "ticket.subject",
    "ticket.status",
    "ticket.priority",
    "ticket.category",
    "user.name",
    "user.first_name",
    "user.username",
    "agent.name",
    "agent.first_name",
    "site.name",
)


def render_template(text: str, values: Mapping[str, str]) -> str:
    """Return the text with its variables replaced; the unknown become their fallback or nothing."""

    def replace(match: re.Match[str]) -> str:
        value = values.get(match[1]) or (match[2] or "").strip()
        return escape_value(value)

    return VARIABLE.sub(replace, text)


def escape_value(value: str) -> str:
    """Return one line of plain words, whatever markup a member put into a name or a subject."""
    return MARKUP.sub(r"\\\1", re.sub(r"\s+", " ", value).strip())


def unknown_variables(text: str, known: Iterable[str] = VARIABLES) -> list[str]:
    """Return what looks like a variable and is none, as written, for the author to correct."""
    names = set(known)
    wrong: dict[str, None] = {}
    for found in _in_braces(text):
        match = VARIABLE.fullmatch(found)
        if match is None or match[1] not in names:
            wrong[found] = None
    return list(wrong)


def _in_braces(text: str) -> Iterator[str]:
    """Yield what stands between braces, as written; each character is looked at twice at most."""
    start = 0
    unclosed: set[str] = set()  # what is not closed behind one place is closed behind no later one
    while (opened := OPENED.search(text, start)) is not None:
        kind, start = opened[0], opened.start() + 1
        end = -1 if kind in unclosed else text.find(CLOSES[kind], opened.end())
        if end < 0:
            unclosed.add(kind)
            continue
        start = end + 2
        yield text[opened.start() : start]
