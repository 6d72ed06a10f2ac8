"""Log lines are JSON, complete, free of secrets, and none is lost between processes."""

import json
import logging
import logging.config
import subprocess
import sys

import pytest
from django.conf import settings as django_settings

from systemadmin.foundation import logs
from systemadmin.foundation.context import context

KEY = "s3cr3t-Value_9f8e7d6c5b4a"


@pytest.fixture
def lines():
    """A logger with our filters and formatter, and the lines it wrote."""
    written = []

    class Collect(logging.Handler):
        def emit(self, record):
            written.append(self.format(record))

    handler = Collect()
    handler.addFilter(logs.ContextFilter())
    handler.addFilter(logs.SecretsFilter())
    handler.setFormatter(logs.JsonLines())
    logger = logging.getLogger("atalaya.tests.lines")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.DEBUG)
    yield logger, lambda: [json.loads(line) for line in written]
    logger.handlers, logger.propagate = [], True


def test_a_line_has_every_field_in_order(lines):
    logger, read = lines
    with context(request_id="req-12345678", user_id=7, path="/api/x", source="web"):
        logger.warning("Stock of %s is low", "coats", extra={"status": 200, "duration_ms": 1.5})
    line = read()[0]
    assert list(line)[:9] == [
        "time",
        "level",
        "logger",
        "message",
        "request_id",
        "user",
        "path",
        "status",
        "duration_ms",
    ]
    assert line["level"] == "WARNING"
    assert line["message"] == "Stock of coats is low"
    assert (line["request_id"], line["user"], line["path"]) == ("req-12345678", 7, "/api/x")
    assert (line["status"], line["duration_ms"]) == (200, 1.5)
    assert line["time"].endswith("Z")


def test_outside_a_call_the_fields_are_null(lines):
    logger, read = lines
    logger.info("started")
    assert read()[0]["request_id"] is None
    assert read()[0]["status"] is None


def test_other_extra_fields_are_kept(lines):
    logger, read = lines
    logger.info("counted", extra={"rows": 5, "ip": "192.0.2.1"})
    assert (read()[0]["rows"], read()[0]["ip"]) == (5, "192.0.2.1")


def test_no_secret_in_message_arguments_extra_or_traceback(lines):
    logger, read = lines
    logger.info("login with password=%s", KEY)
    logger.info("body %s", {"username": "ana", "password": KEY})
    logger.info("login %(password)s", {"password": KEY})
    logger.info("called", extra={"token": KEY, "headers": {"Authorization": f"Bearer {KEY}"}})
    logger.info({"password": KEY})
    try:
        raise RuntimeError(f"https://api.telegram.org/bot123456789:{KEY * 2}/sendMessage failed")
    except RuntimeError:
        logger.exception("Could not send to postgres://u:%s@h/db", KEY)
    text = json.dumps(read())
    assert KEY not in text
    assert len(read()) == 6
    assert "RuntimeError" in read()[5]["exc_info"]
    assert "test_no_secret_in_message" in read()[5]["exc_info"]


def test_configured_secrets_are_masked_without_any_name(lines, settings):
    logger, read = lines
    settings.BACKUP_PASSPHRASE = "correct horse battery"
    logger.info("using correct horse battery now")
    assert "horse" not in read()[0]["message"]


def test_a_wrong_format_string_costs_no_line(lines):
    logger, read = lines
    logger.info("%s and %s", "one")
    assert "arguments do not fit" in read()[0]["message"]


def test_what_json_cannot_hold_is_written_as_text(lines):
    logger, read = lines
    logger.info("object", extra={"thing": object(), "moment": {1, 2}})
    assert "object object" in read()[0]["thing"]


def test_a_message_of_several_lines_stays_one_line(lines):
    logger, read = lines
    logger.info("one\ntwo\r\nthree")
    assert read()[0]["message"].count("\n") == 2


def test_the_masked_record_serves_every_handler(lines):
    logger, read = lines
    second = logging.Handler()
    second.addFilter(logs.SecretsFilter())
    texts = []
    second.emit = lambda record: texts.append(second.format(record))
    second.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(second)
    try:
        raise ValueError(f"token={KEY}")
    except ValueError:
        logger.exception("secret=%s", KEY)
    assert KEY not in texts[0]
    assert "ValueError" in texts[0]
    assert KEY not in json.dumps(read())


def test_the_configuration_without_a_directory_writes_no_file():
    config = logs.logging_config(log_dir="", debug=False)
    assert set(config["handlers"]) == {"console"}
    assert config["handlers"]["console"]["formatter"] == "json"
    assert logs.logging_config(log_dir=None, debug=True)["handlers"]["console"]["formatter"] == (
        "readable"
    )


def test_every_handler_masks(tmp_path):
    config = logs.logging_config(log_dir=tmp_path, debug=True)
    assert all("secrets" in handler["filters"] for handler in config["handlers"].values())
    assert set(config["handlers"]) == {"console", "file", "errors"}


_WRITER = """
import logging, logging.config, sys
from systemadmin.foundation import logs
logs.ROTATE_AT_BYTES = 60_000
logs.ROTATED_FILES = 200
config = logs.logging_config(log_dir=sys.argv[1], debug=False)
config["root"]["handlers"] = ["file", "errors"]
logging.config.dictConfig(config)
logger = logging.getLogger("writer")
for number in range(int(sys.argv[3])):
    logger.log(logging.ERROR if number % 10 == 0 else logging.INFO, "%s-%d", sys.argv[2], number)
"""


def test_four_processes_lose_no_line_over_rotations(tmp_path):
    lines_each = 400
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), f"p{number}", str(lines_each)],
            cwd=django_settings.BASE_DIR,
        )
        for number in range(4)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 4
    messages = [
        json.loads(line)["message"]
        for path in tmp_path.glob("atalaya.log*")
        for line in path.read_text().splitlines()
    ]
    assert len(messages) == len(set(messages)) == 4 * lines_each
    assert len(list(tmp_path.glob("atalaya.log*"))) > 2, "it rotated while they wrote"
    errors = [
        json.loads(line)["level"]
        for path in tmp_path.glob("errors.log*")
        for line in path.read_text().splitlines()
    ]
    assert errors == ["ERROR"] * (4 * lines_each // 10)
