"""Templates, Markdown and search words: the pure modules that handle what people type."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.markdown import TAGS, render_markdown
from support.templating import render_template, unknown_variables
from systemadmin.foundation.testing import processor_seconds


class TestTemplates:
    VALUES = {"ticket.number": "T-2026-000123", "user.name": "Ana [x](http://evil.test) *M*"}

    def test_replaces_what_it_knows(self):
        text = render_template("About {{ticket.number}}, {{ ticket.number }}.", self.VALUES)
        assert text == "About T-2026-000123, T-2026-000123."

    def test_a_value_never_becomes_markup(self):
        rendered = render_markdown(render_template("Hi {{user.name}}", self.VALUES))
        assert "<a" not in rendered
        assert "<em>" not in rendered
        assert html.unescape(rendered) == "<p>Hi Ana [x](http://evil.test) *M*</p>\n"

    def test_a_value_is_not_rendered_again(self):
        assert "evil" not in render_template("{{user.name}}", {"user.name": "{{evil}}"})[:2]
        rendered = render_template(
            "{{user.name}}", {"user.name": "{{ticket.number}}", "ticket.number": "secret"}
        )
        assert rendered == "{{ticket.number}}"

    def test_the_unknown_falls_back(self):
        assert render_template("Hi {{user.first_name|friend}}!", {}) == "Hi friend!"
        assert render_template("Hi {{user.first_name}}!", {}) == "Hi !"

    def test_names_what_is_wrong_for_the_author(self):
        text = "{{ticket.number}} {{user.password}} {{ user.name|you }} {% load x %} {{a b}}"
        assert unknown_variables(text) == ["{{user.password}}", "{% load x %}", "{{a b}}"]

    @pytest.mark.parametrize("piece", ["{{", "{% ", "{{a|", "{%}}", "}}{{", "{{x}}"])
    def test_any_template_is_checked_in_linear_time(self, piece):
        assert processor_seconds(lambda: unknown_variables(piece * 100_000)) < 1

    @given(st.text(alphabet="{}%a", max_size=12))
    def test_finds_the_first_end_of_each_beginning(self, text):
        found = dict.fromkeys(re.findall(r"\{\{.*?\}\}|\{%.*?%\}", text))
        assert unknown_variables(text, known=()) == list(found)

    @given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"])))
    def test_any_value_stays_the_words_it_is(self, value):
        rendered = render_markdown(render_template("x {{user.name}}.", {"user.name": value}))
        assert html.unescape(rendered) == f"<p>x {value}.</p>\n"


class TestMarkdown:
    @pytest.mark.parametrize(
        "text",
        [
            "<script>alert(1)</script>",
            "[x](javascript:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            '<img src=x onerror="alert(1)">',
            "![x](http://tracker.test/pixel.png)",
            "[x](vbscript:x)",
            '<a href="http://x" onclick="y">z</a>',
            "<style>*{display:none}</style>",
        ],
    )
    def test_nothing_active_survives(self, text):
        tags = re.findall(r"<[^>]*>", render_markdown(text))
        assert set(tags) <= {"<p>", "</p>"} or tags[1].startswith('<a href="http')

    def test_formats_what_people_use(self):
        rendered = render_markdown("**b** _i_ `c`\n\n- one\n- two\n\n> said\n\n[l](https://x.test)")
        for piece in ("<strong>b</strong>", "<em>i</em>", "<code>c</code>", "<li>one</li>",
                      "<blockquote>", 'rel="noopener noreferrer nofollow"'):  # fmt: skip
            assert piece in rendered

    def test_a_line_break_is_a_line_break(self):
        assert "<br>" in render_markdown("one\ntwo")

    @given(st.text())
    def test_any_text_keeps_to_the_allowed_tags(self, text):
        names = re.findall(r"<\s*/?\s*([a-z0-9]+)", render_markdown(text))
        assert set(names) <= TAGS

    def test_deep_nesting_is_no_bomb(self):
        assert len(render_markdown(">" * 5000 + " x")) < 100_000
