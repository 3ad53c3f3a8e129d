"""`reaper why`, over what real sweeps and restorations wrote."""

from __future__ import annotations

import gzip
import shutil

from tests.support import faulty_gateway as faults
from tests.support.faulty_gateway import FaultyGateway
from tests.support.rows import living, zombie


def test_a_connection_that_was_evicted_put_back_and_evicted_again(cloud, tmp_path):
    table, audit = cloud.make_table(("connectionId", "S")), tmp_path / "audit.jsonl"
    cloud.put(table, zombie("a="), zombie("b"), *living())
    with FaultyGateway({"a=": faults.gone, "b": faults.gone}) as server:
        environment = cloud.environment(table, server.url, REAPER_AUDIT_LOG=str(audit))
        assert cloud.reaper("sweep", "--json", environment=environment).report["evicted"] == 2
        first = cloud.reaper("why", "a=", str(audit), environment={})
        restored = cloud.reaper("restore", str(audit), "--id", "a=", environment=environment)
        second = cloud.reaper("why", "a=", str(audit), environment={})
        assert cloud.reaper("sweep", "--json", environment=environment).report["evicted"] == 1
        third = cloud.reaper("why", "a=", str(audit), environment={})

    assert (first.code, restored.stdout) == (0, "1 put back\n")
    assert f"a=, row connectionId=a= of table {table}" in first.stdout
    assert "evicted as gone" in first.stdout
    assert first.stdout.count("strike ") == 3
    assert first.stdout.count("had answered 200") == 2
    assert "It can be put back" in first.stdout
    assert "put back by `reaper restore`" in second.stdout
    assert "has not been evicted since" in second.stdout
    assert third.stdout.count("evicted as gone") == 2
    assert "It can be put back" in third.stdout


def log_of_an_eviction(cloud, tmp_path):
    """Of the row of ``a``."""
    table, audit = cloud.make_table(("connectionId", "S")), tmp_path / "audit.jsonl"
    cloud.put(table, zombie("a"), *living())
    with FaultyGateway({"a": faults.gone}) as server:
        environment = cloud.environment(table, server.url, REAPER_AUDIT_LOG=str(audit))
        cloud.reaper("sweep", environment=environment)
    return audit


def test_a_rotated_file_is_read_too(cloud, tmp_path):
    audit = log_of_an_eviction(cloud, tmp_path)
    rotated, empty = tmp_path / "audit.jsonl.1.gz", tmp_path / "audit.jsonl"
    with audit.open("rb") as file, gzip.open(rotated, "wb") as packed:
        shutil.copyfileobj(file, packed)
    empty.write_text('{"_aws":{}}\nnot JSON: "a"\n')
    done = cloud.reaper("why", "a", str(rotated), str(empty), environment={})
    assert (done.code, done.stdout.count("evicted as gone")) == (0, 1)


def test_who_was_not_evicted_is_told_so(cloud, tmp_path):
    audit = tmp_path / "audit.jsonl"
    audit.write_text("")
    done = cloud.reaper("why", "a", str(audit), environment={})
    assert done.code == 1
    assert f"no whole line of {audit} is about a: reaper did not evict it" in done.stderr
    missing = cloud.reaper("why", "a", str(tmp_path / "none"), environment={})
    assert "none cannot be read to its end" in missing.stderr


def test_a_broken_archive_tells_what_came_before_the_break(cloud, tmp_path):
    audit = log_of_an_eviction(cloud, tmp_path)
    line = audit.read_bytes()
    packed = tmp_path / "cut.gz"
    packed.write_bytes(gzip.compress(line * 2000)[:-20])
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(line)[:10] + b"nonsense" * 20)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(line.replace(b'"table":', b'"tablet":').replace(b"gone", b"\x1b[2J"))
    files = (str(packed), str(broken), str(damaged))
    done = cloud.reaper("why", "a", *files, environment={})

    assert done.code == 0
    assert "evicted as gone" in done.stdout
    assert f"{packed} cannot be read to its end" in done.stderr
    assert f"{broken} cannot be read to its end" in done.stderr
    assert "1 damaged lines name it" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
