"""Asset checks that are about tenants rather than rows: freshness, sums, rates, quarantine."""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from orchestration.resources import Warehouse
from orchestration.warehouse.health import Trouble, find_trouble

# The mart whose page shows the quick checks of a family.
MART = {"outreach": "metrics_tenant_daily", "support": "reporting_events_rollups"}
SHOWN = 50


@dataclass(frozen=True)
class HealthCheck:
    """A check by its name in ``ops.trouble``. The thorough ones read whole tables, once a day."""

    name: str
    description: str
    family: str | None = None
    is_thorough: bool = False

    def asset(self, family: str) -> dg.AssetKey:
        """The asset it is of. Every run that builds an asset is to evaluate its checks."""
        return dg.AssetKey(f"{family}_reconciliation" if self.is_thorough else MART[family])


HEALTH_CHECKS = (
    HealthCheck(
        "every_tenant_has_rollups",
        "Lists tenants without rollups, such as those whose time zone is missing or unknown."
        " Everybody else is refreshed.",
    ),
    HealthCheck(
        "tenants_are_fresh",
        "Lists tenants whose rollups are not complete up to two refreshes ago (a day: error).",
    ),
    HealthCheck(
        "refreshes_take_their_usual_time",
        "The last refresh, or one that runs, took at most three times what 95 % of them take.",
    ),
    HealthCheck(
        "complaints_are_few",
        "Spam complaints are below 0.1 % (error: 0.3 %) of delivered messages, over 30 days.",
        family="outreach",
    ),
    HealthCheck(
        "open_rate_is_possible",
        "No more messages are opened than delivered, over 30 days: reports would be missing.",
        family="outreach",
    ),
    HealthCheck(
        "sends_have_outcomes",
        "Of trackable messages sent one to three days ago, less than a fifth (error: four fifths)"
        " is neither delivered nor bounced nor dropped: else reports do not come in.",
        family="outreach",
    ),
    HealthCheck(
        "durations_are_possible",
        "No metric of an account has a negative sum on a day of the last 30.",
        family="support",
    ),
    HealthCheck(
        "quarantine_is_small",
        "Less than 1 % (error: 10 %) of the rows of the last 7 days are in quarantine.",
        is_thorough=True,
    ),
    HealthCheck(
        "sums_agree",
        "The rollups of all grains add up to the same, on every day.",
        is_thorough=True,
    ),
)


def health_checks(family: str) -> dg.AssetChecksDefinition:
    """The checks of a family: refreshes log the quick ones, the others follow a reconciliation."""
    checks = [check for check in HEALTH_CHECKS if check.family in (None, family)]

    @dg.multi_asset_check(
        name=f"{family}_health",
        specs=[
            dg.AssetCheckSpec(check.name, asset=check.asset(family), description=check.description)
            for check in checks
        ],
        can_subset=True,
    )
    def health(
        context: dg.AssetCheckExecutionContext, warehouse: Warehouse
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in context.selected_asset_check_keys}
        for is_thorough in (False, True):
            if any(check.name in wanted and check.is_thorough == is_thorough for check in checks):
                for evaluation in evaluate_health(warehouse, family, is_thorough=is_thorough):
                    if evaluation.check_name in wanted:
                        yield dg.AssetCheckResult(
                            asset_key=evaluation.asset_key,
                            check_name=evaluation.check_name,
                            passed=evaluation.passed,
                            severity=evaluation.severity,
                            description=evaluation.description,
                            metadata=evaluation.metadata,
                        )

    return health


def evaluate_health(
    warehouse: Warehouse, family: str, *, is_thorough: bool
) -> list[dg.AssetCheckEvaluation]:
    """How the checks of a family that are thorough, or quick, turn out now."""
    with warehouse.connection() as connection:
        found = find_trouble(connection, family, is_thorough=is_thorough)
    by_check: Mapping[str, list[Trouble]] = defaultdict(list)
    for trouble in found:
        by_check[trouble.check_name].append(trouble)
    return [
        _evaluation(family, check, by_check[check.name])
        for check in HEALTH_CHECKS
        if check.family in (None, family) and check.is_thorough == is_thorough
    ]


def _evaluation(
    family: str, check: HealthCheck, found: Sequence[Trouble]
) -> dg.AssetCheckEvaluation:
    errors = [trouble for trouble in found if trouble.severity == "error"]
    ordered = [*errors, *(trouble for trouble in found if trouble.severity != "error")]
    return dg.AssetCheckEvaluation(
        asset_key=check.asset(family),
        check_name=check.name,
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR if errors else dg.AssetCheckSeverity.WARN,
        description=_in_one_line(ordered),
        metadata={
            "findings": len(found),
            "tenants": dg.MetadataValue.md(
                markdown_table(
                    ("tenant", "severity", "why"),
                    [(each.tenant_id, each.severity, each.detail) for each in ordered[:SHOWN]],
                    len(found),
                )
            ),
        },
    )


def _in_one_line(found: Sequence[Trouble]) -> str:
    """What an alert says of it."""
    if not found:
        return "nothing found"
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(str(trouble) for trouble in found[:3]) + more


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]], total: int) -> str:
    """The first rows of ``total`` as a table for the UI."""
    if not rows:
        return "none"
    lines = [columns, ["---"] * len(columns), *([_cell(value) for value in row] for row in rows)]
    table = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([*table, *([f"\nand {total - len(rows)} more"] if total > len(rows) else [])])


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return " ".join(text.replace("|", "\\|").split())[:200]
