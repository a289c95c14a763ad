"""Half a year of real mail, taken in step by step, equals a recount from the start."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from orchestration.warehouse.verify import verify
from tests.outreach.collegemsg import load_between, read_collegemsg
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse

pytestmark = pytest.mark.slow

FIRST = datetime(2004, 4, 15)
LAST = datetime(2004, 11, 6)
STEPS = 12
ZONES = {
    "tenant_01": "America/New_York",
    "tenant_02": "Asia/Kolkata",
    "tenant_03": "Australia/Lord_Howe",
    "tenant_04": "America/Havana",
}


def test_replay_of_half_a_year_equals_a_recount(outreach: OutreachWarehouse, shared: Path) -> None:
    frames = read_collegemsg(shared / "data" / "collegemsg.txt.gz", lag=2004)
    for tenant, zone in ZONES.items():
        outreach.set_timezone(tenant, zone)
    step = (LAST - FIRST) / STEPS
    edges = [FIRST + n * step for n in range(STEPS)] + [LAST + timedelta(days=30)]
    for since, until in pairwise(edges):
        load_between(outreach.connection, SCHEMA, frames, since, until)
        outreach.refresh()
    assert outreach.pending() == []
    sends = outreach.rows("select sum(sends) from analytics.metrics_tenant_daily")
    assert sends == [(len(frames["outbound_messages"]),)]
    assert outreach.differences() == []
    report = verify(
        outreach.connection, "outreach", source_schema=SCHEMA, date_from=None, date_to=None
    )
    assert report.matches, report.differences[:5]
