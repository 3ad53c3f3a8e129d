"""``reaper plan`` needs no account, no table and no network, and says what cannot work."""

from __future__ import annotations

import json

import pytest

from reaper.cli import main


def test_it_shows_the_plan_beside_the_naive_one(capsys):
    assert main(["plan", "--connections", "10000"]) == 0

    out = capsys.readouterr().out
    assert "time to evict, median" in out
    assert "$432.00" in out


def test_as_json_it_is_one_object(capsys):
    assert main(["plan", "--connections", "10000", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["obstacles"] == []
    assert found["reaper"]["quota_share"] == pytest.approx(found["reaper"]["rps"] / 10_000)
    assert found["reaper"]["dollars"] < found["naive"]["dollars"] / 20


def test_it_says_how_many_workers_a_rate_takes(monkeypatch, capsys):
    monkeypatch.setenv("REAPER_QUOTA_RPS", "100000")
    monkeypatch.setenv("REAPER_QUOTA_SHARE", "1")
    million = ["plan", "--connections", "1000000", "--mean-life-seconds", "7200"]
    assert main(million) == 0
    assert "It takes 2 workers of one core each" in capsys.readouterr().out
    assert main([*million, "--json", "--last-seen"]) == 0
    assert json.loads(capsys.readouterr().out)["reaper"]["workers"] == 1


def test_the_ratio_limit_is_planned_for(monkeypatch, capsys):
    arguments = ["plan", "--connections", "10000", "--messages-per-minute", "0.1", "--json"]
    assert main(arguments) == 0
    ratio = json.loads(capsys.readouterr().out)["reaper"]["heartbeat_message_ratio"]
    monkeypatch.setenv("REAPER_MAX_HEARTBEAT_RATIO", str(ratio / 10))
    assert main(arguments) == 1
    assert "above REAPER_MAX_HEARTBEAT_RATIO" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "variables", "reason"),
    [
        (["--mean-life-seconds", "9000"], {}, "no connection lives longer than 2 hours"),
        (["--sweep-interval-seconds", "400"], {}, "REAPER_SWEEP_INTERVAL_SECONDS to at most 320"),
        ([], {"REAPER_QUOTA_SHARE": "0.001"}, "set REAPER_QUOTA_SHARE to at least"),
        ([], {"REAPER_QUOTA_RPS": "50", "REAPER_QUOTA_SHARE": "1"}, "the Region's quota is 50"),
        (["--last-seen"], {"REAPER_HEARTBEAT_INTERVAL_SECONDS": "300"}, "idle timeout"),
    ],
)
def test_it_refuses_what_cannot_work_and_says_why(
    monkeypatch, capsys, arguments, variables, reason
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert main(["plan", "--connections", "10000", *arguments]) == 1
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--connections", "many"], "--connections: must be a whole number"),
        (["--connections", "0"], "--connections: must be from 1"),
        (["--connections", "9", "--zombie-rate", "5"], "--zombie-rate: must be from 0 to 1"),
        (["--connections", "9", "--mean-life-seconds", "0"], "must be above 0"),
        (["--connections", "9", "--messages-per-minute", "nan"], "must be from 0"),
        ([], "--connections"),
    ],
)
def test_a_flag_that_makes_no_sense_is_named(capsys, arguments, told):
    with pytest.raises(SystemExit, match="2"):
        main(["plan", *arguments])

    assert told in capsys.readouterr().err


def test_bad_settings_are_named_as_everywhere(monkeypatch, capsys):
    monkeypatch.setenv("REAPER_QUOTA_SHARE", "7")

    assert main(["plan", "--connections", "10"]) == 2
    assert "REAPER_QUOTA_SHARE" in capsys.readouterr().err


def test_flags_go_before_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("REAPER_HEARTBEAT_MODE", "always")
    main(["plan", "--connections", "10", "--json", "--heartbeat-mode", "off"])

    assert json.loads(capsys.readouterr().out)["reaper"]["heartbeats"] == 0
