"""``rollups erase``: a contact deleted in the source goes from our tables, the totals stay."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.output import Json, Output, Yes, count
from orchestration.cli.refreshing import outcome_document, waiting
from orchestration.cli.session import dbt_silenced, deployed_database, require_family

if TYPE_CHECKING:
    from orchestration.warehouse.erasing import Erasure, ErasurePlan


def erase(
    tenant: Annotated[str, typer.Option("--tenant", help="Tenant id.")],
    contact: Annotated[str, typer.Option("--contact", help="Id of the contact, as it was.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would do.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take a contact that the source has deleted out of every outreach table; totals stay."""
    from orchestration.warehouse.erasing import FAMILY, plan_erasure
    from orchestration.warehouse.erasing import erase as run_erasure

    output = Output(as_json)
    with deployed_database(output) as (settings, url, connection):
        require_family(settings, FAMILY)
        plan = plan_erasure(connection, tenant, contact)
    output.note(
        f"contact {contact} of {tenant}: {count(plan.messages, 'message')},"
        f" {count(plan.events, 'event')} and {count(plan.campaigns, 'campaign')} go to __erased__"
    )
    erasure = None
    if not dry_run:
        output.confirm("Erase it? This cannot be undone.", yes)
        with output.step("erasing"), dbt_silenced():
            erasure = run_erasure(
                settings, url, plan, _person(), on_wait=lambda busy: output.note(waiting(busy))
            )
    output.result(
        _document(plan, erasure),
        lambda: output.line(
            "dry run: nothing was changed"
            if erasure is None
            else f"erased: {count(sum(erasure.rows_changed.values()), 'row')} of ledgers and"
            " messages changed, the rollups follow"
        ),
    )


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"


def _document(plan: ErasurePlan, erasure: Erasure | None) -> dict[str, Any]:
    return {
        "plan": plan,
        "dry_run": erasure is None,
        "rows_changed": {} if erasure is None else erasure.rows_changed,
        "refresh": None if erasure is None else outcome_document(erasure.refresh),
    }
