"""`dbt build` by itself, as a dbt user expects: it refreshes what is pending."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from orchestration.dbt_runner import project_environment
from orchestration.settings import DBT_PROJECT_DIR
from orchestration.warehouse.bootstrap import deploy
from orchestration.warehouse.connection import libpq_environment
from orchestration.warehouse.source_contract import check_source
from tests.outreach.warehouse import OutreachWarehouse

NOON = datetime(2026, 3, 3, 12, 0)


def _dbt(warehouse: OutreachWarehouse, target: Path, *arguments: str) -> str:
    completed = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", *arguments, "--profiles-dir", ".",
         "--target-path", str(target), "--log-path", str(target)],
        cwd=DBT_PROJECT_DIR,
        env=os.environ
        | libpq_environment(warehouse.url)
        | project_environment(warehouse.settings),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return completed.stdout + completed.stderr


def test_dbt_alone_refreshes_what_is_pending(outreach: OutreachWarehouse, tmp_path: Path) -> None:
    outreach.add_tenant("acme", "Asia/Kolkata")
    outreach.add_contact("acme", "ann", "ann@acme.example")
    outreach.add_message("acme", "ann", "m1", NOON)
    outreach.add_event("acme", "m1", "e1", "delivered", NOON)

    # Part of the models is no refresh: the work stays pending.
    output = _dbt(outreach, tmp_path, "run", "--select", "outreach_activity_ledger")
    assert "its work stays pending" in output, output[-2000:]
    assert outreach.pending() == [("acme", "tenant", "")]

    output = _dbt(outreach, tmp_path, "build")
    assert "ERROR=0" in output, output[-3000:]
    assert outreach.pending() == []
    assert outreach.differences() == []
    assert outreach.metric("acme", NOON.date(), "sends") == 1


def test_a_source_may_have_no_names_of_leads(outreach: OutreachWarehouse) -> None:
    outreach.add_tenant("acme")
    outreach.add_contact("acme", "ann")
    outreach.add_message("acme", "ann", "m1", NOON)
    outreach.refresh()
    lead = "select lead_id, lead_name from analytics.rpt_campaign_daily"
    assert outreach.rows(lead) == [("lead_acme", "Lead")]

    outreach.connection.execute("alter table leads drop column name cascade")
    assert check_source(outreach.connection, outreach.settings, "outreach") == []
    for built_again in ("stg_outreach__contact_leads", "stg_outreach__contact_leads+"):
        deploy(outreach.settings, outreach.url, [built_again])
    assert outreach.rows(lead) == [("lead_acme", None)]
