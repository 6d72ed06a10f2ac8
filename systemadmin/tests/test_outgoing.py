"""Addresses that staff type: what is public, how hosts are written, and when they are checked."""

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.foundation import outgoing
from systemadmin.foundation.addresses import is_public
from systemadmin.foundation.outgoing import (
    AddressRefused,
    check_host_to_save,
    check_url_to_save,
    connect_address,
    parse_url,
    resolve,
)

INSIDE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.0.9",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:192.0.0.8",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "feff::1",
    "ff02::1",
    "4000::1",
    "e000::1",
]
OUTSIDE = ["8.8.8.8", "1.1.1.1", "192.0.1.1", "2606:4700::1111", "2a00:1450:4003::1"]
CARRIED = ["::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("ip", INSIDE)
def test_special_purpose_addresses_are_not_public(ip):
    assert not is_public(ip)


@pytest.mark.parametrize("ip", OUTSIDE + CARRIED)
def test_globally_routable_addresses_are_public(ip):
    assert is_public(ip)


@given(st.text(max_size=60))
def test_what_is_no_address_is_not_public(text):
    if is_public(text):
        socket.getaddrinfo(text, 443, flags=socket.AI_NUMERICHOST)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_as_public_in_ipv6_notation(ip):
    packed = f"{int(ip) >> 16:x}:{int(ip) & 0xFFFF:x}"
    assert is_public(f"::ffff:{ip}") == is_public(f"64:ff9b::{packed}") == is_public(str(ip))


@pytest.fixture
def names(monkeypatch):
    """What the name server answers; other names do not resolve."""
    table = {}

    def getaddrinfo(host, port, **kwargs):
        if outgoing.parse_ip(host):
            return [(None, None, None, "", (host, port))]
        if host not in table:
            raise socket.gaierror
        return [(None, None, None, "", (address, port)) for address in table[host]]

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", getaddrinfo)
    return table


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.com/",
        "ftp://shop.example.com/",
        "https:///path",
        "https://",
        "https://user:pass@shop.example.com/",
        "https://@shop.example.com/",
        "https://shop.example.com@127.0.0.1/",
        "https://shop.example.com:0/",
        "https://shop.example.com:99999/",
        "https://exa mple/",
        "https://shop.example.com\\@127.0.0.1/",
        "https://shop.example.com\n/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[v1.fe]/",
        "https://１２７.０.０.１/",
        "https://127。0。0。1/",
        "https://localhost/",
        "https://localhost./",
        "https://LOCALHOST/",
        "https://app.localhost/",
        "https://db.internal/",
        "https://printer.local/",
        "https://intranet/",
        "https://testserver/",
        "https://a..b.com/",
        "https://-a.com/",
        "https://%31%32%37.0.0.1/",
    ],
)
def test_an_address_inside_is_refused_when_it_is_saved(names, url):
    with pytest.raises(AddressRefused):
        check_url_to_save(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com/in?x=1",
        "https://shop.example.com.:8443/",
        "https://bücher.example.com/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:8443/",
        "https://not-yet.example.com/",
    ],
)
def test_a_public_address_is_accepted(names, url):
    names["shop.example.com"] = ["8.8.8.8"]
    check_url_to_save(url)


def test_hosts_are_normalised():
    target = parse_url("https://BÜCHER.Example.com.:8443/a?b=c", allow_private=False)
    assert (target.host, target.port, target.path) == ("xn--bcher-kva.example.com", 8443, "/a?b=c")


@pytest.mark.parametrize("ip", INSIDE[3:6] + ["::ffff:10.0.0.1", "fec0::1"])
def test_a_name_with_one_address_inside_is_refused_when_saved_and_when_used(names, ip):
    names["two.example.com"] = ["8.8.8.8", ip]
    with pytest.raises(AddressRefused):
        check_url_to_save("https://two.example.com/")
    with pytest.raises(AddressRefused):
        resolve("two.example.com", 443, allow_private=False)
    with pytest.raises(AddressRefused):
        check_host_to_save("two.example.com", 993)


def test_our_own_names_and_addresses_are_refused(names, settings, monkeypatch):
    settings.PUBLIC_URL = "https://desk.example.com"
    settings.ALLOWED_HOSTS = ["other.example.com", "*"]
    for host in ("desk.example.com", "other.example.com", "DESK.example.com."):
        with pytest.raises(AddressRefused):
            check_url_to_save(f"https://{host}/")
    names["mirror.example.com"] = ["9.9.9.9"]
    check_url_to_save("https://mirror.example.com/")
    monkeypatch.setattr(outgoing, "_own_addresses", lambda: {"9.9.9.9"})
    with pytest.raises(AddressRefused):
        check_url_to_save("https://mirror.example.com/")


def test_the_addresses_of_this_machine_are_known():
    assert "127.0.0.1" in outgoing._own_addresses()


def test_the_operator_may_permit_hosts_inside(names, settings):
    settings.OUTGOING_PRIVATE_HOSTS = ["10.0.0.0/8", "imap.internal"]
    names |= {"imap.internal": ["192.168.0.9"], "mail.example.com": ["10.1.1.1"]}
    names["evil.example.com"] = ["192.168.0.9"]
    check_host_to_save("imap.internal", 993)
    check_host_to_save("mail.example.com", 993)
    check_host_to_save("10.2.2.2", 993)
    assert connect_address("imap.internal", 993) == "192.168.0.9"
    for host in ("evil.example.com", "127.0.0.1", "db.internal"):
        with pytest.raises(AddressRefused):
            connect_address(host, 993)


def test_a_name_server_that_does_not_answer_holds_no_form(monkeypatch):
    monkeypatch.setattr(outgoing, "SAVE_SECONDS", 0.01)
    waiting = threading.Event()
    monkeypatch.setattr(outgoing.socket, "getaddrinfo", lambda *a, **k: waiting.wait(5) or [])
    check_url_to_save("https://slow.example.com/")
    waiting.set()


@given(st.text(max_size=80))
def test_any_text_is_accepted_or_refused(text):
    for url in (text, f"https://{text}/"):
        try:
            parse_url(url, allow_private=False)
        except AddressRefused:
            continue
