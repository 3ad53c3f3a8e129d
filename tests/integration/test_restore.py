"""``reaper restore``: what was evicted comes back, and nothing newer is lost by it."""

from __future__ import annotations

import json

import pytest

from tests.support import faulty_gateway as faults
from tests.support.faulty_gateway import FaultyGateway
from tests.support.rows import LIVING, item, living, zombie

RICH = {
    "note": {"S": 'ünï\n"quoted"'},
    "raw": {"B": b"\x00\xff"},
    "raws": {"BS": [b"\x01", b"\x02"]},
    "tags": {"SS": ["a", "b"]},
    "nested": {"M": {"list": {"L": [{"N": "1.50"}, {"NULL": True}, {"B": b"\x03"}]}}},
}


def evict(cloud, table, tmp_path, *names, **settings) -> dict[str, str]:
    """Sweep with these connections gone and one alive; returns the environment."""
    audit = tmp_path / "audit.jsonl"
    with FaultyGateway(dict.fromkeys(names, faults.gone)) as server:
        environment = cloud.environment(table, server.url, REAPER_AUDIT_LOG=str(audit), **settings)
        done = cloud.reaper("sweep", "--json", environment=environment)
    assert (done.code, done.report["evicted"]) == (0, len(names)), done.stderr
    return environment


def restore(cloud, environment, *arguments):
    return cloud.reaper(
        "restore", environment["REAPER_AUDIT_LOG"], *arguments, environment=environment
    )


def by_id(rows) -> dict[str, dict]:
    return {row["connectionId"]["S"]: row for row in rows}


def test_rows_come_back_as_they_were_whatever_they_hold(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"), ("n", "N"))
    rows = [zombie(name, n={"N": "7"}, **RICH) for name in ("a", "b", *LIVING)]
    cloud.put(table, *rows)
    before = by_id(cloud.rows(table))
    environment = evict(cloud, table, tmp_path, "a", "b")
    done = restore(cloud, environment)

    assert (done.code, done.stdout.splitlines()) == (0, ["2 put back"])
    assert by_id(cloud.rows(table)) == before


def test_it_never_writes_over_a_newer_row_and_may_be_run_twice(cloud, tmp_path):
    table = cloud.make_table(("userId", "S"))
    people = {"ann": "a", "bob": "b", "eve": "live"}
    cloud.put(table, *(item(userId=who, connectionId=c) for who, c in people.items()))
    environment = evict(cloud, table, tmp_path, "a", "b")
    newer = item(userId="ann", connectionId="newer")
    cloud.put(table, newer)
    first, second = restore(cloud, environment), restore(cloud, environment)

    assert first.stdout.splitlines() == [
        "1 left alone: a row, or another connection's id, is there by now",
        "1 put back",
    ] or first.stdout.splitlines() == [
        "1 put back",
        "1 left alone: a row, or another connection's id, is there by now",
    ]
    assert second.stdout.startswith("2 left alone")
    rows = {row["userId"]["S"]: row["connectionId"]["S"] for row in cloud.rows(table)}
    assert rows == {"ann": "newer", "bob": "b", "eve": "live"}


def test_a_dry_run_writes_nothing_and_tells_the_same(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("a"), zombie("b"), *living())
    environment = evict(cloud, table, tmp_path, "a", "b")
    cloud.put(table, zombie("b"))
    done = restore(cloud, environment, "--dry-run")

    assert done.code == 0
    assert "nothing was written" in done.stdout
    assert "1 would be put back" in done.stdout
    assert "1 would be left alone" in done.stdout
    assert cloud.ids(table) == {"b", *LIVING}


def test_a_cleared_id_comes_back_where_no_newer_one_is(cloud, tmp_path):
    table = cloud.make_table(("pk", "S"))
    cloud.put(table, *(item(pk=f"PLAYER#{c}", ws={"M": {"id": {"S": c}}}) for c in "abcdef"))
    environment = evict(
        cloud,
        table,
        tmp_path,
        *"abc",
        REAPER_EVICT_ACTION="clear",
        REAPER_CONNECTION_ID_ATTRIBUTE="ws.id",
    )
    cloud.put(table, item(pk="PLAYER#b", ws={"M": {"id": {"S": "newer"}}}))
    cloud.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "PLAYER#c"}})
    dry, done = restore(cloud, environment, "--dry-run"), restore(cloud, environment)

    for told in ("put back", "left alone: a row, or", "left alone: the row or map"):
        assert f"1 {told}" in done.stdout
        assert f"1 would be {told}" in dry.stdout
    assert done.code == 0
    ids = {row["pk"]["S"][-1]: row["ws"]["M"]["id"]["S"] for row in cloud.rows(table)}
    assert ids == {"a": "a", "b": "newer", "d": "d", "e": "e", "f": "f"}


def test_what_was_cleared_and_set_with_an_id_comes_back_with_it(cloud, tmp_path):
    table = cloud.make_table(("pk", "S"))
    rows = {c: item(pk=f"P#{c}", ws=c, token=f"t{c}", on={"BOOL": True}) for c in "abcdef"}
    cloud.put(table, *rows.values())
    environment = evict(
        cloud,
        table,
        tmp_path,
        *"ab",
        REAPER_EVICT_ACTION="clear",
        REAPER_CONNECTION_ID_ATTRIBUTE="ws",
        REAPER_EVICT_REMOVE="token",
        REAPER_EVICT_SET='{"on": false, "left": "{now}"}',
    )
    assert sum("token" in row for row in cloud.rows(table)) == 4
    newer = item(pk="P#b", ws="newer", on={"BOOL": True})
    cloud.put(table, newer)
    assert restore(cloud, environment).code == 0

    found = {row["pk"]["S"][-1]: row for row in cloud.rows(table)}
    assert found.pop("b") == newer
    assert found == {c: row for c, row in rows.items() if c != "b"}


def test_what_went_along_with_a_partition_comes_back_too(cloud, tmp_path):
    table = cloud.make_table(("pk", "S"), ("sk", "S"))
    rows = [item(pk="CONN#a", sk=sk) for sk in ("META", "SUB#1", "SUB#2")]
    cloud.put(table, *rows, *(item(pk=f"CONN#{name}", sk="META") for name in LIVING))
    environment = evict(
        cloud,
        table,
        tmp_path,
        "a",
        REAPER_CONNECTION_ID_ATTRIBUTE="pk",
        REAPER_CONNECTION_ID_PATTERN="CONN#(.+)",
        REAPER_ROW_FILTER="sk=META",
        REAPER_EVICT_SCOPE="partition",
    )
    assert len(cloud.rows(table)) == 3
    assert restore(cloud, environment).stdout == "3 put back\n"
    assert len(cloud.rows(table)) == 6


def test_only_what_is_missing_by_the_last_word_of_the_log_comes_back(cloud, tmp_path):
    """Lines that were taken back, torn lines, metrics, and lines of other tables."""
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("a"), *living())
    environment = evict(cloud, table, tmp_path, "a")
    audit = tmp_path / "audit.jsonl"
    line = json.loads(audit.read_text())

    def about(name: str, **changes) -> str:
        row = {"connectionId": {"S": name}}
        return json.dumps(line | {"key": row, "item": row | {"n": {"N": "1"}}} | changes)

    audit.write_text(
        "\n".join(
            [
                about("kept"),
                about("kept", audit="kept"),
                about("again"),
                about("again", audit="kept"),
                about("again"),
                about("elsewhere", table="another"),
                '{"_aws": {}, "TableName": "metrics"}',
                about("torn")[:70],
                "",
                about("damaged", item=None),
                about("odd", action="explode"),
                json.dumps(line),
            ]
        )
    )
    done = restore(cloud, environment)

    assert done.code == 0
    assert cloud.ids(table) == {"a", *LIVING, "again"}
    for told in ("2 put back", "1 passed over: of another table", "3 passed over: a torn"):
        assert told in done.stdout
    unreadable = [
        entry["line"] for entry in done.log if entry["event"] == "audit line not readable"
    ]
    assert unreadable == [8, 10, 11]


@pytest.mark.parametrize(
    "damage",
    [
        {"item": {"other": {"S": "x"}}},
        {"item": {"connectionId": {"ZZ": "x"}}, "key": {"connectionId": {"ZZ": "x"}}},
        {"action": "clear", "cleared": []},
        {"action": "clear", "cleared": ["ws"]},
        {"key": {}},
        {"item": []},
        {"cleared": None},
    ],
)
def test_a_damaged_line_is_passed_over_and_the_others_come_back(cloud, tmp_path, damage):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("a"), *living())
    environment = evict(cloud, table, tmp_path, "a")
    audit = tmp_path / "audit.jsonl"
    line = audit.read_text()
    audit.write_text(json.dumps(json.loads(line) | damage) + "\n" + line + "[" * 100_000)
    done = restore(cloud, environment)

    assert (done.code, cloud.ids(table)) == (0, {"a", *LIVING})
    assert "2 passed over: a torn or damaged line" in done.stdout


def test_a_table_that_was_made_again_with_other_keys_takes_nothing(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("a"), *living())
    environment = evict(cloud, table, tmp_path, "a")
    other = cloud.make_table(("userId", "S"))
    audit = tmp_path / "audit.jsonl"
    audit.write_text(audit.read_text().replace(table, other))
    done = restore(cloud, environment | {"REAPER_TABLE_NAME": other})

    assert done.code == 1
    assert "1 passed over: the table has other keys by now" in done.stdout


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read"), ("", "holds no line of an eviction")],
)
def test_a_file_without_evictions_is_told(cloud, tmp_path, content, told):
    table = cloud.make_table(("connectionId", "S"))
    audit = tmp_path / "audit.jsonl"
    if content is not None:
        audit.write_text(content)
    environment = cloud.environment(table, "http://127.0.0.1:1", REAPER_AUDIT_LOG=str(audit))
    done = restore(cloud, environment)

    assert done.code == 1
    assert told in done.stderr


def test_many_rows_come_back(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    names = [f"z{n:03}" for n in range(250)]
    cloud.put(table, *(zombie(name) for name in names), *living())
    environment = evict(cloud, table, tmp_path, *names, REAPER_MAX_GONE_FRACTION="1")

    assert restore(cloud, environment).stdout == "250 put back\n"
    assert cloud.ids(table) == {*names, *LIVING}


@pytest.mark.parametrize("action", ["delete", "clear"])
def test_many_rows_may_be_put_back_twice(cloud, tmp_path, action):
    table = cloud.make_table(("userId", "S"))
    names = [f"z{n:03}" for n in range(150)]
    cloud.put(table, *(item(userId=f"of {name}", connectionId=name) for name in [*names, *LIVING]))
    environment = evict(
        cloud,
        table,
        tmp_path,
        *names,
        REAPER_EVICT_ACTION=action,
        REAPER_MAX_GONE_FRACTION="1",
    )
    first, second = restore(cloud, environment), restore(cloud, environment)

    assert first.stdout.splitlines() == ["150 put back"]
    assert second.stdout.startswith("150 left alone")
    held = {row["connectionId"]["S"] for row in cloud.rows(table)}
    assert held == {*names, *LIVING}


def test_only_what_is_asked_for_comes_back(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("a"), zombie("b"), zombie("c"), *living())
    environment = evict(cloud, table, tmp_path, "a", "b", "c")
    path = tmp_path / "audit.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    moments = {"a": "2026-11-27T10:00:00Z", "b": "2026-11-27T11:00:00Z"}
    for line in lines:
        line["at"] = moments.get(line["connection_id"], "2026-11-27T12:00:00.000Z")
        line["reason"] = "expired" if line["connection_id"] == "c" else "gone"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    for arguments, found in (
        (("--id", "a"), 1),
        (("--reason", "gone"), 2),
        (("--reason", "deaf"), 0),
        (("--since", "2026-11-27T11:00:00Z"), 2),
        (("--until", "2026-11-27T11:00:00"), 2),
        (("--since", "2026-11-27T12:30:00+02:00", "--until", "2026-11-27T11:30"), 1),
        (("--id", "a", "--reason", "expired"), 0),
    ):
        done = restore(cloud, environment, "--dry-run", *arguments)
        assert (f"{found} would be put back" in done.stdout) is (found > 0), arguments
        assert done.code == (0 if found else 1), arguments
        if not found:
            assert "one of those asked for" in done.stderr
    assert cloud.ids(table) == set(LIVING)
    restore(cloud, environment, "--id", "a")
    assert cloud.ids(table) == {"a", *LIVING}


def test_a_compressed_file_is_told_as_that(cloud, tmp_path):
    packed = tmp_path / "audit.jsonl.1.gz"
    packed.write_bytes(b"")
    environment = cloud.environment("t", "https://a.invalid/p")
    done = cloud.reaper("restore", str(packed), environment=environment)
    assert (done.code, done.stderr.splitlines()[-1]) == (
        1,
        f"reaper: {packed} is compressed: gunzip it first",
    )


def test_a_moment_that_is_none_is_told(cloud, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    environment = cloud.environment(table, "https://a.invalid/p")
    done = cloud.reaper("restore", "x", "--since", "yesterday", environment=environment)
    assert done.code == 2
    assert "'yesterday' is no moment in ISO 8601" in done.stderr
