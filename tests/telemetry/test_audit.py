"""The audit log: lines that can be read back, whatever rows hold."""

from __future__ import annotations

import base64
import json
import os

import pytest

from reaper.core.errors import AuditError
from reaper.telemetry.audit import AuditLog, audit_log_fault


def test_lines_are_appended_and_never_overwritten(tmp_path):
    path = tmp_path / "audit.jsonl"
    for n in range(2):
        log = AuditLog(str(path))
        log.write([{"n": n}, {"item": {"text": {"S": "line\nbreak ünï"}}}])

    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert [entry.get("n") for entry in entries] == [0, None, 1, None]
    assert entries[1]["item"]["text"]["S"] == "line\nbreak ünï"


def test_binary_attributes_are_written_in_base64(tmp_path):
    path = tmp_path / "audit.jsonl"
    log = AuditLog(str(path))
    log.write([{"item": {"b": {"B": b"\x00\xff"}, "bs": {"BS": [b"a"]}}}])

    item = json.loads(path.read_text())["item"]
    assert base64.b64decode(item["b"]["B"]) == b"\x00\xff"
    assert base64.b64decode(item["bs"]["BS"][0]) == b"a"


def test_nothing_to_write_is_nothing_written(tmp_path):
    path = tmp_path / "audit.jsonl"
    AuditLog(str(path)).write([])
    assert path.read_text() == ""


def test_a_torn_last_line_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "audit.jsonl"
    path.write_text('{"n":0}\n{"n":1,"it')
    AuditLog(str(path)).write([{"n": 2}])

    assert path.read_text().splitlines() == ['{"n":0}', '{"n":1,"it', '{"n":2}']


def test_what_could_not_be_written_does_not_turn_up_later(tmp_path, monkeypatch):
    path = tmp_path / "audit.jsonl"
    log = AuditLog(str(path))
    write = os.write
    room = iter([5, 0])

    def nearly_full(file_descriptor, data):
        if (left := next(room)) == 0:
            raise OSError(28, "No space left on device")
        return write(file_descriptor, data[:left])

    with monkeypatch.context() as full:
        full.setattr(os, "write", nearly_full)
        with pytest.raises(AuditError, match=r"No space left on device.*make room on its disk"):
            log.write([{"lost": True}])
    log.write([{"kept": True}])

    assert path.read_text().splitlines() == ['{"los', '{"kept":true}']


def test_the_file_is_for_its_owner_only(tmp_path):
    path = tmp_path / "audit.jsonl"
    AuditLog(str(path))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_an_error():
    log = AuditLog("/dev/full")
    with pytest.raises(AuditError, match=r"No space left on device.*make room on its disk"):
        log.write([{"n": 1}])


def test_a_file_that_was_moved_is_opened_anew_before_the_next_line(tmp_path):
    path = tmp_path / "audit.jsonl"
    log = AuditLog(str(path))
    log.write([{"n": 0}])
    path.rename(tmp_path / "audit.jsonl.1")
    log.write([{"n": 1}])
    path.unlink()
    log.write([{"n": 2}])

    assert json.loads((tmp_path / "audit.jsonl.1").read_text()) == {"n": 0}
    assert json.loads(path.read_text()) == {"n": 2}


def test_a_symbolic_link_that_somebody_put_there_is_not_followed(tmp_path):
    target, path = tmp_path / "elsewhere", tmp_path / "audit.jsonl"
    path.symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        AuditLog(str(path))
    assert not target.exists()
    assert "symbolic link" in (audit_log_fault(str(path)) or "")


def test_nor_one_that_is_put_there_later(tmp_path):
    target, path = tmp_path / "elsewhere", tmp_path / "audit.jsonl"
    log = AuditLog(str(path))
    path.unlink()
    path.symlink_to(target)
    with pytest.raises(AuditError, match="symbolic links"):
        log.write([{"n": 1}])
    assert not target.exists()
