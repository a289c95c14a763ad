"""The outreach metrics through the same functions."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from orchestration.errors import InputError
from orchestration.reports import Reports
from tests.outreach.warehouse import OutreachWarehouse

DAYS = ("2025-03-01", "2025-03-15")
SOURCES = ("raw", "rollup", "auto")


@pytest.fixture
def reports(outreach: OutreachWarehouse) -> Reports:
    """A message every six hours around a change of the clocks; half are opened a day later."""
    outreach.add_tenant("acme", "America/New_York")
    for contact in ("ana", "bo"):
        outreach.add_contact("acme", contact, f"{contact}@example.com")
    for number in range(40):
        at = datetime(2025, 3, 1, 6) + timedelta(hours=6 * number)
        contact = ("ana", "bo")[number % 2]
        outreach.add_message("acme", contact, f"m{number}", at)
        outreach.add_event("acme", f"m{number}", f"d{number}", "delivered", at)
        if number % 4 == 0:
            opened = at + timedelta(days=1)
            outreach.add_event("acme", f"m{number}", f"o{number}", "open", opened)
    outreach.refresh()
    return Reports(outreach.connection, "acme")


@pytest.mark.parametrize("source", SOURCES)
def test_counts_and_rates_are_the_same_from_every_source(reports: Reports, source: str) -> None:
    assert reports.aggregate("sends", *DAYS, source=source)["value"][0] == 40
    rate = reports.aggregate("open_rate", *DAYS, source=source).iloc[0]
    assert (rate["value"], rate["count"]) == (0.25, 40)
    edges = ("2025-03-02T10:00:00+00:00", "2025-03-09T17:00:00+00:00")
    assert reports.aggregate("sends", *edges, source=source)["value"][0] == 29
    ana = reports.aggregate("opens", *edges, "campaign", "campaign_ana", source=source)
    assert ana["value"][0] == 7
    bo = reports.aggregate("open_rate", *edges, "contact", "bo", source=source)
    assert bo["value"][0] == 0


@pytest.mark.parametrize("source", SOURCES)
def test_a_rate_of_nothing_is_unknown(reports: Reports, source: str) -> None:
    weeks = reports.timeseries("open_rate", "2025-02-16", "2025-03-23", "week", source=source)
    assert weeks["count"].tolist() == [0, 4, 28, 8, 0]
    assert weeks["value"].isna().tolist() == [True, False, False, False, True]


def test_hours_are_read_from_the_activities(reports: Reports) -> None:
    hours = reports.timeseries("sends", "2025-03-09", "2025-03-10", group_by="hour")
    assert len(hours) == 23
    assert hours["value"].sum() == 4
    assert set(hours["source"]) == {"raw"}
    with pytest.raises(InputError, match="rollups are daily"):
        reports.timeseries("sends", *DAYS, group_by="hour", source="rollup")


def test_a_summary_names_every_campaign(reports: Reports) -> None:
    table = reports.summary(*DAYS, dimension="campaign")
    sends = table[table["metric"] == "sends"].set_index("id")["value"].to_dict()
    assert sends == {"campaign_ana": 20, "campaign_bo": 20}
    assert set(reports.summary(*DAYS)["id"]) == {"acme"}


def test_what_is_unknown_is_named(reports: Reports) -> None:
    with pytest.raises(InputError, match='campaign "nothing" not found'):
        reports.aggregate("sends", *DAYS, "campaign", "nothing")
    with pytest.raises(InputError, match="use tenant, campaign, contact"):
        reports.aggregate("sends", *DAYS, "agent", "1")
    with pytest.raises(InputError, match="the support family is not in this database"):
        reports.bot_metrics(*DAYS)
    assert reports.diagnose("sends", *DAYS).empty
