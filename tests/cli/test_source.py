"""`rollups source`: triggers from the command line, and what depends on them."""

from __future__ import annotations

from tests.cli.conftest import Rollups


def test_install_show_and_remove(rollups: Rollups) -> None:
    refused = rollups("source", "install-triggers")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    tables = rollups.json("source", "show")["tables"]
    assert {table["status"] for table in tables} == {"missing"}

    ended = rollups("refresh", CHANGE_CAPTURE="triggers")
    assert ended.returncode == 3
    assert "rollups source install-triggers" in ended.stderr
    assert ended.stderr.count("\n") == 1

    tables = rollups.json("source", "install-triggers", "--yes")["tables"]
    assert {table["status"] for table in tables} == {"installed"}
    assert "dripiq_app.message_events" in {table["relation"] for table in tables}
    assert rollups("refresh", CHANGE_CAPTURE="triggers").returncode == 0
    checks = rollups.json("doctor", CHANGE_CAPTURE="triggers")["checks"]
    assert [c["level"] for c in checks if c["name"] == "outreach triggers"] == ["OK"]

    tables = rollups.json("source", "remove-triggers", "--yes")["tables"]
    assert {table["status"] for table in tables} == {"missing"}
    checks = rollups.json("doctor", code=1, CHANGE_CAPTURE="triggers")["checks"]
    assert [c["level"] for c in checks if c["name"] == "outreach triggers"] == ["FAIL"]
    assert rollups("refresh").returncode == 0


def test_a_wrong_way_of_capture(rollups: Rollups) -> None:
    ended = rollups("status", CHANGE_CAPTURE="magic")
    assert ended.returncode == 2
    assert "ROLLUPS_CHANGE_CAPTURE='magic'" in ended.stderr
