"""What the capture triggers cost the application that writes; prints a table.

    python -m benchmarks.trigger_cost [--rows N] [--rounds N]

The same statements with and without triggers, in alternating rounds on one embedded PostgreSQL
with durable commits; the best round of each counts, because machines are noisy.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from rich.console import Console
from rich.table import Table

from orchestration.embedded.demo_data import create_source_tables
from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.settings import Settings
from orchestration.warehouse.bootstrap import initialise
from orchestration.warehouse.connection import connect
from orchestration.warehouse.source_triggers import install_triggers, remove_triggers

SCHEMA = "dripiq_app"
BATCH = 1000

ADD_MESSAGE = (
    "insert into outbound_messages (id, tenant_id, campaign_id, contact_id, channel, dedupe_key,"
    " state, created_at, updated_at)"
    " select 'm' || n, 'acme', 'campaign', 'contact', 'email', n, 'queued', now(), now()"
    " from generate_series(%(from)s::bigint, %(to)s::bigint) as n"
)
ADD_EVENT = (
    "insert into message_events (id, tenant_id, message_id, type, event_at, sg_event_id, data)"
    " select 'e' || n, 'acme', 'm' || n, 'open', now(), 's' || n, '{\"ip\": \"192.0.2.1\"}'"
    " from generate_series(%(from)s::bigint, %(to)s::bigint) as n"
)
MARK_SENT = (
    "update outbound_messages set state = 'sent', sent_at = now(), updated_at = now()"
    " where id = any(select 'm' || n from generate_series(%(from)s::bigint, %(to)s::bigint) as n)"
)
STATEMENTS = {
    "insert a message": ADD_MESSAGE,
    "insert an event": ADD_EVENT,
    "mark a message sent": MARK_SENT,
}


class Writer:
    """The application: runs each statement for ranges of row numbers that never come again."""

    def __init__(self, connection: psycopg.Connection, rows: int) -> None:
        self.connection = connection
        self.rows = rows
        self.next = 0

    def round(self) -> Iterator[tuple[str, float]]:
        """Milliseconds a row of every statement, row by row and in batches."""
        for size, label in ((1, "one a transaction"), (BATCH, f"{BATCH:,} a statement")):
            first, last = self.next, self.next + self.rows * min(size, 20)
            self.next = last
            for name, statement in STATEMENTS.items():
                started = time.perf_counter()
                for start in range(first, last, size):
                    span = {"from": start, "to": min(start + size, last) - 1}
                    self.connection.execute(statement.encode(), span)
                seconds = time.perf_counter() - started
                yield f"{name}, {label}", seconds * 1000 / (last - first)


def measure(url: str, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    best: dict[str, dict[str, float]] = {}
    with connect(url) as connection:
        connection.execute("set search_path = dripiq_app")
        connection.execute(
            "insert into tenants (id, name) values ('acme', 'Acme');"
            " insert into leads (id, name, url, tenant_id) values ('lead', 'Lead', 'x', 'acme');"
            " insert into lead_point_of_contacts (id, lead_id, name)"
            " values ('contact', 'lead', 'Contact');"
            " insert into contact_campaigns"
            " (id, tenant_id, lead_id, contact_id, channel, plan_json, plan_hash)"
            " values ('campaign', 'acme', 'lead', 'contact', 'email', '{}', 'h')"
        )
        writer = Writer(connection, options.rows)
        variants: dict[str, Callable[..., object]] = {
            "without": remove_triggers,
            "with": install_triggers,
        }
        for _ in range(options.rounds):
            for variant, prepare in variants.items():
                prepare(connection, "outreach")
                for label, milliseconds in writer.round():
                    known = best.setdefault(label, {})
                    known[variant] = min(milliseconds, known.get(variant, milliseconds))
                connection.execute("truncate ops.change_queue")
    return best


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trigger_cost", description=__doc__)
    parser.add_argument("--rows", type=int, default=1000, help="single rows a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="rollups-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "server")
        try:
            url = server.start()
            with connect(url) as connection:
                create_source_tables(connection, SCHEMA)
            initialise(Settings(families=("outreach",), home=Path(folder)), url)
            best = measure(url, options)
        finally:
            server.stop("immediate")
    table = Table(title="Milliseconds a row, best round", min_width=100)
    for column in ("statement", "without triggers", "with", "ratio", "added"):
        table.add_column(column, justify="left" if column == "statement" else "right")
    for label, times in best.items():
        table.add_row(
            label,
            f"{times['without']:.4f}",
            f"{times['with']:.4f}",
            f"{times['with'] / times['without']:.2f}",
            f"{times['with'] - times['without']:.4f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
