"""What the validator of settings accepts is exactly what their readers can use."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.foundation import configuration
from systemadmin.foundation.parsing import Unreadable, parse_network, parse_rate
from systemadmin.foundation.setting_values import read_value
from systemadmin.foundation.testing import problem
from systemadmin.models import SystemConfig
from systemadmin.services.configuration import check_value

URL = "/api/admin/config"
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
RATES = st.one_of(
    st.from_regex(r"[0-9²٣ +]{0,4}/[0-9²]{0,2}[smhdx]?", fullmatch=True), st.text(max_size=8), JSON
)
ROWS = st.lists(
    st.one_of(
        st.from_regex(r"[0-9²٣]{0,4}/[0-9²-]{0,6}", fullmatch=True),
        st.from_regex(r"[0-9a-f.:]{1,20}(/[0-9]{1,3})?", fullmatch=True),
        JSON,
    ),
    max_size=4,
)


def _reads(parse, value):
    try:
        parse(value)
    except Unreadable:
        return False
    return True


@given(RATES)
def test_a_rate_is_accepted_exactly_when_it_is_read(value):
    declared = configuration.declared_settings()["ratelimit.write"]
    assert (check_value(declared, value) is None) == _reads(parse_rate, value)


@given(ROWS)
def test_networks_are_accepted_exactly_when_they_are_read(value):
    declared = configuration.declared_settings()["blocking.exempt"]
    readable = _reads(lambda rows: [parse_network(row) for row in rows], value)
    assert (check_value(declared, value) is None) == readable


@given(st.data())
def test_whatever_is_stored_a_setting_has_a_usable_value(data):
    key = data.draw(st.sampled_from(sorted(configuration.declared_settings())))
    declared, value = configuration.declared_settings()[key], data.draw(JSON)
    readable, unreadable = configuration.split_values({key: value})
    assert (key in readable) != (key in unreadable)
    assert (check_value(declared, value) is None) == (key in readable)
    read_value(declared, readable.get(key, declared.default))


@pytest.mark.django_db
class TestAgainstTheDatabase:
    @pytest.mark.parametrize(
        "value", ["030/m", "²/m", "٣/m", " 30/m", "30/m\n", "1" * 5000 + "/m", "0/m"]
    )
    def test_a_rate_that_cannot_be_read_is_refused(self, as_user, staff, value):
        response = as_user(staff("operator")).put(URL, {"ratelimit.write": value})
        problem(response, 400, "invalid", field="ratelimit.write")

    @pytest.mark.ratelimited
    @pytest.mark.parametrize("value", ["030/m", "²/m", 30, {"a": []}])
    def test_a_stored_rate_that_cannot_be_read_does_not_stop_its_repair(
        self, as_user, staff, value, caplog, settings
    ):
        settings.LOGGING_CONFIG = None
        SystemConfig.objects.create(key="ratelimit.write", value=value)
        configuration.forget_stored_values()
        operator = as_user(staff("operator"))
        with caplog.at_level(logging.WARNING, logger="atalaya.configuration"):
            logging.getLogger("atalaya").addHandler(caplog.handler)
            try:
                assert configuration.setting("ratelimit.write") == "30/m"
            finally:
                logging.getLogger("atalaya").removeHandler(caplog.handler)
        assert "ratelimit.write" in caplog.text
        status = operator.get("/api/admin/system/status").json()
        assert "ratelimit.write" in str(status["checks"]["stored_settings"])
        assert operator.put(URL, {"ratelimit.write": "20/m"}).status_code == 200
        assert configuration.setting("ratelimit.write") == "20/m"
        assert not configuration.unreadable_settings()

    @pytest.mark.parametrize("text", ["²", "٣0", "1_000", "+50"])
    def test_the_settings_page_reads_numbers_by_the_same_rule(self, client, superuser, text):
        from systemadmin.settings_page import settings_form

        form = settings_form("audit", {"audit.retention_days": text})
        assert "audit.retention_days" in form.errors
