"""A run for dates whose source was pruned fails with one line, unless its tag allows it."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest

from tests.dagster.conftest import Location
from tests.outreach.warehouse import OutreachWarehouse


@pytest.mark.parametrize("allowed", [False, True])
def test_a_run_of_dagster_needs_a_tag(
    location: Location,
    filled: OutreachWarehouse,
    allowed: bool,
) -> None:
    assert location.run()[0].success
    filled.connection.execute("delete from outbound_messages where sent_at < '2026-03-11'")
    tags = {"dagster/partition": "2026-03-09|acme"}
    result, said = location.run(tags=tags | ({"rollups/allow-shrink": "true"} if allowed else {}))
    assert result.success is allowed
    assert filled.metric("acme", date(2026, 3, 9), "sends") == (0 if allowed else 1)
    if not allowed:
        assert "the run tag rollups/allow-shrink: true does it all the same" in said
        assert "\n" not in said.strip()
        run = location.instance.get_run_by_id(result.run_id)
        assert isinstance(run, dg.DagsterRun)
        assert run.tags["dagster/max_retries"] == "0"
