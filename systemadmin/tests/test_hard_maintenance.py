import os

import pytest
import time_machine

from systemadmin.foundation.hard_maintenance import disable_hard, enable_hard, hard_state


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    settings.REDIS_URL = ""
    return tmp_path


def test_open_by_default():
    assert hard_state() is None
    assert disable_hard("restore 1") is False


def test_the_owner_opens_again():
    assert enable_hard("restore 1", 60, "Back soon")
    state = hard_state()
    assert (state.owner, state.message) == ("restore 1", "Back soon")
    assert 1 <= state.retry_after <= 60
    assert disable_hard("restore 1") is True
    assert hard_state() is None


def test_nobody_else_opens_or_takes_over():
    enable_hard("restore 1", 60)
    assert enable_hard("restore 2", 60) is False
    assert disable_hard("restore 2") is False
    assert hard_state().owner == "restore 1"


def test_the_owner_moves_the_end_and_keeps_the_beginning():
    with time_machine.travel(0, tick=False):
        enable_hard("restore 1", 60)
    with time_machine.travel(30, tick=False):
        assert enable_hard("restore 1", 60)
        assert (hard_state().since, hard_state().until) == (0, 90)


def test_it_ends_by_itself_after_a_crash():
    with time_machine.travel(0, tick=False):
        enable_hard("restore 1", 60)
    with time_machine.travel(61, tick=False):
        assert hard_state() is None
        assert enable_hard("restore 2", 60) is True


def test_a_broken_file_closes_for_a_while(folder):
    path = folder / "hard_maintenance.json"
    path.write_text('{"owner": "rest')
    assert hard_state().owner == "unknown"
    os.utime(path, (0, 0))
    assert hard_state() is None


def test_nothing_half_written_is_seen(folder):
    enable_hard("restore 1", 60)
    assert [p.name for p in folder.iterdir()] == ["hard_maintenance.json"]
