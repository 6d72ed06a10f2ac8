"""Links are found however they are written, as browsers read them and as people do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.links import every_host, link_hosts, refused_host
from systemadmin.foundation.testing import processor_seconds
from systemadmin.services import change_settings

# What a browser opens, by the URL standard: each of these is bad.com.
BROWSERS_OPEN = [
    "https://bad.com\\@good.org",
    "https:\\\\bad.com\\x",
    "https://bad\u3002com/",
    "https://bad\uff0ecom",
    "https://bad\uff61com",
    "http://bad%2ecom/",
    "http://bad%2Ecom",
    "http://b%61d.com",
    "http://bad%E3%80%82com",
    "https://\uff42\uff41\uff44.com",
    "https://BAD.Com",
    "https://bad.com.",
    "https://bad.com:8080/",
    "https://user:pass@bad.com/",
    "https://good.org@bad.com",
    "https://good.org%2f@bad.com",
    "https://good.org\uff0f@bad.com",
    "https://good.org\u2100@bad.com",
    'https://good.org"@bad.com',
    "https:bad.com",
    "https:/bad.com",
    "https:////bad.com",
    "//bad.com",
    "\\\\bad.com\\x",
    "/\\bad.com",
    "ht\ntps://ba\td.c\rom",
    "https://ba\u00add.com",
    "https://b\u200bad.com",
    "https://sub.bad.com",
    "wss://bad.com",
]
# What people read as bad.com, or type again.
PEOPLE_READ = [
    "bad.com",
    "entra en BAD.COM, ya",
    "(bad.com)",
    "bad\u3002com",
    "bad%2ecom",
    "bad\u00b7com",
    "bad\u2024com",
    "bad\ua4f8com",
    "\uff42\uff41\uff44\uff0e\uff43\uff4f\uff4d",
    "bad[.]com",
    "bad (punto) com",
    "bad.\ncom",
    "bad.com.Bueno",
    "hxxps://bad.com",
    "www.bad.com",
    "b\u2060ad.com",
    "b\ufe0fad.com",
    "https://bad.com:99999/",
]
INNOCENT = [
    "https://notbad.com",
    "https://bad.com.example",
    "https://good.org/?to=bad.com",
    "ana@bad.com",
    "bad, com",
    "https://good.org:443/bad",
]
IDN = ["https://b\u00fccher.de", "https://xn--bcher-kva.de", "b\u00fccher.de", "B\u00dcCHER.DE"]


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("mira https://shop.example/x?y=1 y dime", ["shop.example"]),
        ("HTTP://WWW.Evil.Example:8080/", ["evil.example"]),
        ("hxxps://evil.example", ["evil.example"]),
        ("entra en evil-shop.com ya", ["evil-shop.com"]),
        ("evil   \n [ .\t]  com", ["evil.com"]),
        ("evil[.]com y evil (dot) com", ["evil.com", "evil.com"]),
        ("ev\u200bil.com", ["evil.com"]),
        ("ｅｖｉｌ.com", ["evil.com"]),
        ("https://bank.example@evil.example/login", ["evil.example"]),
        ("(see www.evil.example).", ["evil.example"]),
        ("dos: a.com, b.net", ["a.com", "b.net"]),
    ],
)
def test_links_are_found(text, hosts):
    assert link_hosts(text) == hosts


@pytest.mark.parametrize(
    "text",
    [
        "Precio: 3.5 kg a 12.50",
        "adjunto foto.jpg y factura.pdf",
        "e.g. mañana, i.e. pronto",
        "escribe a ana@correo.com",
        "final.Empieza otra",
        "...",
    ],
)
def test_ordinary_text_has_no_links(text):
    assert link_hosts(text) == []


def test_a_refused_domain_covers_what_is_under_it_and_nothing_else():
    refused = ["Evil.example", "www.bad.com"]
    assert refused_host(["login.evil.example"], refused) == "login.evil.example"
    assert refused_host(["bad.com"], refused) == "bad.com"
    assert refused_host(["notevil.example", "evil.example.org"], refused) is None


@pytest.mark.parametrize("text", BROWSERS_OPEN + PEOPLE_READ, ids=ascii)
def test_a_refused_domain_is_found_however_it_is_written(text):
    for written in (text, f"mira {text} y dime"):
        assert refused_host(every_host(written), ["bad.com"]), written


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_like_a_refused_domain_is_let_through(text):
    assert refused_host(every_host(text), ["bad.com"]) is None


@pytest.mark.parametrize("text", IDN)
@pytest.mark.parametrize("entry", ["b\u00fccher.de", "xn--bcher-kva.de", "WWW.B\u00fccher.de."])
def test_an_international_name_is_one_name_in_each_form(text, entry):
    assert refused_host(every_host(text), [entry])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ["https://bad.com\\@good.org", "bad\u3002com", "http://bad%2ecom/"]
)
def test_the_api_refuses_the_link_when_sent_and_when_edited(marta, other_member, text):
    change_settings(actor=None, values={"messaging.refused_domains": ["bad.com"]})
    answer = marta.post("/api/messages", {"recipient": other_member.pk, "body": text})
    assert (answer.status_code, answer.data["code"]) == (409, "link_not_allowed")
    sent = marta.post("/api/messages", {"recipient": other_member.pk, "body": "Hola"}).data["id"]
    answer = marta.post(f"/api/messages/{sent}/edit", {"body": text})
    assert (answer.status_code, answer.data["code"]) == (409, "link_not_allowed")


def test_a_link_behind_a_name_that_is_ours_counts_as_foreign():
    assert "evil.com" in link_hosts("https://atalaya.example\uff0f@evil.com")


@given(st.text(max_size=300))
def test_any_text_is_read(text):
    assert set(link_hosts(text)) <= set(every_host(text))


@pytest.mark.parametrize(
    "piece",
    [" ", "\n", "( ", "[ .", "a.", "www.", "a-", "http://", "a@", "http://a.", "dot ", ".", "//"]
    + ["\\", "http:", "%2e", "\u00e9", "//a.", "a@a.", "https://\u00e9.", "\u00b7", "h.\n"],
    ids=ascii,
)
def test_any_text_is_read_in_linear_time(piece):
    text = piece * (200_000 // len(piece))
    assert processor_seconds(lambda: refused_host(every_host(text), ["evil.com"])) < 1
    assert processor_seconds(lambda: link_hosts(text)) < 1
