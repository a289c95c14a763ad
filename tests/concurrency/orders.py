"""An arena in which participants take their steps in one order after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import psycopg

from tests.concurrency.participants import Model, Participant, Scripts
from tests.outreach.warehouse import OutreachWarehouse

START = datetime(2026, 3, 3, 12)
DAYS = [date(2026, 3, 2) + timedelta(days=n) for n in range(3)]
TENANTS = ("acme", "bolt")
SEED = 20261121


class Arena:
    """One warehouse in which many orders are tried, one after the other."""

    models: Sequence[Model] = ()

    def __init__(self, warehouse: OutreachWarehouse) -> None:
        self.warehouse = warehouse
        self.observer = warehouse.connection
        self.number = count(1)

    def stir(self) -> None:
        """New rows on days that are backfilled and on others, for each tenant."""
        number = next(self.number)
        now = datetime.now()
        for tenant in TENANTS:
            message = f"{tenant}_{number}"
            sent = START + timedelta(hours=number % 60)
            self.warehouse.add_message(tenant, f"{tenant}_ann", message, sent, updated_at=now)
            for n, kind in enumerate(("delivered", "open", "click")):
                at = sent + timedelta(hours=n * 20)
                self.warehouse.add_event(
                    tenant, message, f"{message}_{n}", kind, at, created_at=now
                )

    def hide_a_change(self) -> None:
        """A change on a day that is backfilled, which no ingest time tells of."""
        self.warehouse.connection.execute(
            "update message_events set type = case type when 'open' then 'click' else 'open' end"
            " where event_at::date = %s and type in ('open', 'click')"
            " and message_id similar to '(acme|bolt)_[0-9]+'",
            [DAYS[1]],
        )

    def settle(self) -> None:
        """What is left to do is done; then all is as the source says."""
        for _ in range(3):
            last = Participant("last", self.warehouse.url, Scripts(self.models).hourly(), TENANTS)
            run_in_order([last], lambda runnable: 0, self.observer)
            if not self.warehouse.pending():
                break
        assert self.warehouse.pending() == []
        differences = self.differences()
        assert not differences, differences

    def differences(self) -> list[str]:
        """Where the marts are not what they should be."""
        return self.warehouse.differences()

    def deadlocks(self) -> int:
        rows = self.warehouse.rows(
            "select deadlocks from pg_stat_database where datname = current_database()"
        )
        return rows[0][0]


Choose = Callable[[Sequence[str]], int]
"""Which of the participants that can go on takes the next step."""


def run_in_order(
    participants: Sequence[Participant],
    choose: Choose,
    observer: psycopg.Connection[Any],
    kill: tuple[int, int] | None = None,
) -> list[str]:
    """Let participants take steps until all have ended; the steps taken, in order.

    ``kill``: which participant is killed, and after how many steps of its own.
    """
    taken: list[str] = []
    waiting: set[str] = set()
    while left := [one for one in participants if not one.finished]:
        if kill is not None:
            victim = participants[kill[0] % len(participants)]
            steps = sum(step.startswith(f"{victim.name}:") for step in taken)
            if not victim.finished and steps == kill[1]:
                victim.kill(observer)
                taken.append(f"killed {victim.name} before {victim.next_step}")
                kill = None
                waiting = {other.name for other in left if other.is_waiting(observer, participants)}
                continue
        runnable = [one for one in left if may_go_on(one, left) and one.name not in waiting]
        assert runnable, f"nobody can go on after {taken}"
        one = runnable[choose([one.name for one in runnable])]
        taken.append(f"{one.name}:{one.next_step}")
        one.step()
        waiting = {other.name for other in left if other.is_waiting(observer, participants)}
    return taken


def may_go_on(one: Participant, others: Sequence[Participant]) -> bool:
    """Whether nobody else holds a tenant that it is about to take."""
    return one.next_step != "take" or not any(
        other.holds_tenants and other.tenants & one.tenants for other in others if other is not one
    )


class AllOrders:
    """Goes through every sequence of choices, one a round, by going back to the last open one."""

    def __init__(self) -> None:
        self._choices: list[tuple[int, int]] = []
        self._place = 0

    def rounds(self) -> Iterator[Choose]:
        while True:
            self._place = 0
            yield self._choose
            while self._choices and self._choices[-1][0] + 1 == self._choices[-1][1]:
                self._choices.pop()
            if not self._choices:
                return
            chosen, of = self._choices[-1]
            self._choices[-1] = chosen + 1, of

    def _choose(self, runnable: Sequence[str]) -> int:
        if self._place == len(self._choices):
            self._choices.append((0, len(runnable)))
        chosen, of = self._choices[self._place]
        assert of == len(runnable), "the same steps leave the same choice"
        self._place += 1
        return chosen


def some_orders(number: int) -> Iterator[Choose]:
    """Random orders; what is printed runs the same one again."""
    for seed in range(SEED, SEED + number):
        print("order of seed", seed)
        random = Random(seed)
        yield lambda runnable, random=random: random.randrange(len(runnable))
