"""The client's address: counted from the right, and never an exception."""

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.foundation.client_ip import client_ip, network_of, parse_ip


def request_from(peer, forwarded=None):
    extra = {"REMOTE_ADDR": peer}
    if forwarded is not None:
        extra["HTTP_X_FORWARDED_FOR"] = forwarded
    return RequestFactory().get("/", **extra)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, None, "10.0.0.9"),
        (0, "203.0.113.5", "10.0.0.9"),
        (1, None, "10.0.0.9"),
        (1, "203.0.113.5", "203.0.113.5"),
        (1, "6.6.6.6, 203.0.113.5", "203.0.113.5"),
        (2, "6.6.6.6, 203.0.113.5, 192.0.2.8", "203.0.113.5"),
        (2, "203.0.113.5", "203.0.113.5"),
        (1, "203.0.113.5:44321", "203.0.113.5"),
        (1, "[2001:db8::1]:443", "2001:db8::1"),
        (1, "2001:DB8::1", "2001:db8::1"),
        (1, "::ffff:203.0.113.5", "203.0.113.5"),
        (1, '"203.0.113.5"', "203.0.113.5"),
        (1, "unknown", "10.0.0.9"),
        (1, "<script>", "10.0.0.9"),
        (1, ", ,", "10.0.0.9"),
        (1, "203.0.113.5, nonsense", "10.0.0.9"),
        (3, "1.1.1.1, 2.2.2.2", "1.1.1.1"),
    ],
)
def test_the_address_is_counted_from_the_right(settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXY_COUNT = proxies
    assert client_ip(request_from("10.0.0.9", forwarded)) == expected


def test_a_unix_socket_has_no_address(settings):
    settings.TRUSTED_PROXY_COUNT = 0
    assert client_ip(request_from("")) == ""


@given(st.text(max_size=200))
def test_garbage_is_never_an_exception(text):
    address = parse_ip(text)
    assert parse_ip(address) == address


def test_a_client_holds_one_ipv4_address_or_an_ipv6_network():
    assert network_of("203.0.113.5") == "203.0.113.5"
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::1") == "2001:db8:1:2::"
    assert network_of("") == ""
