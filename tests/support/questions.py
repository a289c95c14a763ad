"""Questions to the support read model, held against the brute force answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from tests.support.answers import (
    DIMENSIONS,
    METRICS,
    Question,
    aggregate,
    bot_metrics,
    bot_summary,
    entities,
    event_count,
    timeseries,
)
from tests.support.case_matching import mismatches, only
from tests.support.periods import GROUPS, first_instant
from tests.support.source import Account
from tests.support.warehouse import SupportWarehouse

MICROSECOND = timedelta(microseconds=1)


def random_window(
    random: Random, days: Sequence[date], moments: Sequence[datetime], zone: str
) -> tuple[datetime, datetime]:
    """Two instants: local midnights, instants at or just after events, or any minute."""
    while True:
        since, until = sorted(_edge(random, days, moments, zone) for _ in range(2))
        if since < until:
            return since, until


def _edge(random: Random, days: Sequence[date], moments: Sequence[datetime], zone: str) -> datetime:
    midnight = first_instant(random.choice(days), zone)
    draw = random.random()
    if draw < 0.45:
        return midnight
    if draw < 0.7 and moments:
        return random.choice(moments) + random.choice([timedelta(), MICROSECOND, -MICROSECOND])
    return midnight + timedelta(minutes=random.randrange(26 * 60))


def random_question(
    random: Random,
    account: Account,
    window: tuple[datetime, datetime],
    dimensions: Sequence[str] = DIMENSIONS,
) -> Question:
    """A question about the account or, if there is one, an existing member of a dimension."""
    dimension = random.choice(dimensions)
    members = list(entities(account, dimension))
    if dimension == "account" or not members:
        return Question(*window, business_hours=random.random() < 0.3)
    return Question(*window, dimension, random.choice(members), random.random() < 0.3)


class Examiner:
    """Asks the read model and the brute force the same, and tells where they differ."""

    def __init__(self, warehouse: SupportWarehouse, accounts: dict[int, Account]) -> None:
        self.warehouse = warehouse
        self.accounts = accounts
        self.asked = 0
        self.leave_out: tuple[str, ...] = ()

    def sources(self, account: Account, question: Question) -> list[str]:
        """The sources that can answer: labels and accounts without a zone have no rollups."""
        can = ["raw", "auto"]
        if account.zone is not None and question.dimension != "label":
            can.append("rollup")
        return [source for source in can if source not in self.leave_out]

    def aggregate(self, account: Account, metric: str, question: Question) -> Iterator[str]:
        expected = {
            "value": aggregate(account, metric, question),
            "count": event_count(account, metric, question),
        }
        for source in self.sources(account, question):
            row = self._ask(
                "aggregate", account, metric, question.since, question.until, question.dimension,
                _text(question.id), question.business_hours, source,
            )[0]  # fmt: skip
            yield from self._lines(expected, row, "aggregate", account, metric, question, source)

    def timeseries(
        self, account: Account, metric: str, question: Question, group_by: str, zone: str
    ) -> Iterator[str]:
        expected = [
            {"bucket": start, "value": value, "count": count}
            for start, value, count in timeseries(account, metric, question, group_by, zone)
        ]
        for source in self.sources(account, question):
            if source == "rollup" and (group_by == "hour" or zone != account.zone):
                continue
            rows = self._ask(
                "timeseries", account, metric, question.since, question.until, group_by,
                question.dimension, _text(question.id), zone, question.business_hours, source,
            )  # fmt: skip
            rows = [only(("bucket", "value", "count"), row) for row in rows]
            yield from self._lines(
                expected, rows, "timeseries", account, metric, question, group_by, zone, source
            )

    def summary(self, account: Account, question: Question) -> Iterator[str]:
        """All members of the question's dimension; their names and numbers."""
        before = question.before()
        for source in self.sources(account, question):
            rows = self._ask(
                "summary", account, question.since, question.until, question.dimension,
                question.business_hours, source,
            )  # fmt: skip
            members = entities(account, question.dimension)
            told = {(row["id"], row["name"]) for row in rows}
            wanted = {(str(number), name) for number, name in members.items()}
            yield from self._lines(
                sorted(wanted), sorted(told), "summary", account, question, source
            )
            for row in rows:
                number = None if question.dimension == "account" else int(row["id"])
                metric = row["metric"]
                expected = {
                    "value": aggregate(account, metric, replace(question, id=number)),
                    "previous_value": aggregate(account, metric, replace(before, id=number)),
                }
                yield from self._lines(expected, row, "summary", account, question, row, source)

    def bot_metrics(self, account: Account, question: Question) -> Iterator[str]:
        expected = bot_metrics(account, question)
        for source in self.sources(account, question):
            row = self._ask("bot_metrics", account, question.since, question.until, source)[0]
            yield from self._lines(expected, row, "bot_metrics", account, question, source)

    def bot_summary(self, account: Account, question: Question) -> Iterator[str]:
        expected = bot_summary(account, question)
        for source in self.sources(account, question):
            row = self._ask(
                "bot_summary", account, question.since, question.until, question.dimension,
                _text(question.id), source,
            )[0]  # fmt: skip
            yield from self._lines(expected, row, "bot_summary", account, question, source)

    def anything(self, random: Random, account: Account, question: Question) -> Iterator[str]:
        """One random kind of question about what the question asks for."""
        zone = account.zone or "UTC"
        kind = random.choice(["aggregate", "aggregate", "timeseries", "summary", "bots", "bots"])
        metric = random.choice(METRICS)
        if kind == "aggregate":
            yield from self.aggregate(account, metric, question)
        elif kind == "timeseries":
            group_by = random.choice(GROUPS)
            if group_by == "hour" and question.until - question.since > timedelta(days=9):
                group_by = "week"
            other = random.choice([zone, zone, "Asia/Kathmandu", "America/Santiago"])
            yield from self.timeseries(account, metric, question, group_by, other)
        elif kind == "summary":
            yield from self.summary(account, question)
        else:
            yield from self.bot_metrics(account, question)
            yield from self.bot_summary(account, question)

    def _ask(self, function: str, account: Account, *arguments: Any) -> list[dict[str, Any]]:
        self.asked += 1
        marks = ", ".join(["%s"] * (len(arguments) + 1))
        query = f"select * from report.{function}({marks})"
        return self.warehouse.records(query, str(account.id), *arguments)

    @staticmethod
    def _lines(expected: Any, answer: Any, *asked: Any) -> Iterator[str]:
        if isinstance(expected, dict):
            answer = only(expected, answer)
        shown = [item.id if isinstance(item, Account) else item for item in asked]
        for line in mismatches(expected, answer):
            yield f"{shown}: {line}"


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
