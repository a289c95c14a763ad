"""An hourly refresh, backfills and dbt by itself at once: every order ends at the recount."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import psycopg
import pytest

from orchestration.warehouse.connection import connect
from tests.concurrency.participants import Model, Participant, Scripts, record_models
from tests.outreach.warehouse import OutreachWarehouse

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 3, 12)
DAYS = [date(2026, 3, 2) + timedelta(days=n) for n in range(3)]
TENANTS = ("acme", "bolt")
SEED = 20261121


class Arena:
    """One warehouse in which many orders are tried, one after the other."""

    def __init__(self, warehouse: OutreachWarehouse, models: Sequence[Model]) -> None:
        self.warehouse = warehouse
        self.observer = warehouse.connection
        self.models = models
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
            " where event_at::date = %s and type in ('open', 'click')",
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
        assert self.warehouse.differences() == []

    def deadlocks(self) -> int:
        rows = self.warehouse.rows(
            "select deadlocks from pg_stat_database where datname = current_database()"
        )
        return rows[0][0]


@pytest.fixture(scope="module")
def models() -> list[Model]:
    return []


@pytest.fixture
def arena(
    outreach: OutreachWarehouse, models: list[Model], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Arena]:
    for tenant, zone in zip(TENANTS, ("Asia/Kolkata", "America/New_York"), strict=True):
        outreach.add_tenant(tenant, zone)
        outreach.add_contact(tenant, f"{tenant}_ann", f"ann@{tenant}.example")
    arena = Arena(outreach, models)
    arena.stir()
    if not models:
        models += record_models(outreach, monkeypatch)
    arena.settle()
    yield arena
    assert arena.deadlocks() == 0
    # Keys that somebody killed has left are taken up by the next refresh of the tenant.
    arena.stir()
    arena.settle()
    assert outreach.rows("select count(*) from ops.outreach_touched") == [(0,)]


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


def three(arena: Arena) -> list[Participant]:
    """The hourly refresh, a backfill of the UI and one of the command line, over shared tenants."""
    scripts, url = Scripts(arena.models), arena.warehouse.url
    return [
        Participant("hourly", url, scripts.hourly(), TENANTS),
        Participant("backfill", url, scripts.backfill(["acme"], DAYS), ["acme"]),
        Participant("command", url, scripts.backfill(TENANTS, DAYS[1:], noted=True), TENANTS),
    ]


def two_tenants(arena: Arena) -> list[Participant]:
    """Two refreshes that share no tenant may write at the same time."""
    scripts, url = Scripts(arena.models, fine=True), arena.warehouse.url
    return [
        Participant("hourly", url, scripts.hourly(["acme"]), ["acme"]),
        Participant("backfill", url, scripts.backfill(["bolt"], DAYS), ["bolt"]),
    ]


def beside_dbt(arena: Arena) -> list[Participant]:
    """dbt by itself holds a tenant only while a model writes: the two alternate."""
    scripts, url = Scripts(arena.models, fine=True), arena.warehouse.url
    return [
        Participant("hourly", url, scripts.hourly(), TENANTS),
        Participant("dbt", url, scripts.dbt(), ()),
    ]


def test_orders_of_a_refresh_and_two_overlapping_backfills(arena: Arena, soak: float) -> None:
    tried = set()
    for choose in AllOrders().rounds() if soak else some_orders(10):
        arena.stir()
        arena.hide_a_change()
        tried.add(tuple(run_in_order(three(arena), choose, arena.observer)))
        arena.settle()
    print(len(tried), "orders")
    assert len(tried) > (50 if soak else 5)


@pytest.mark.parametrize("participants", [two_tenants, beside_dbt])
def test_orders_of_single_statements(
    arena: Arena, participants: Callable[[Arena], list[Participant]], soak: float
) -> None:
    for choose in some_orders(100 if soak else 4):
        arena.stir()
        run_in_order(participants(arena), choose, arena.observer)
        arena.settle()


@pytest.mark.parametrize("participants", [three, two_tenants, beside_dbt])
def test_who_is_killed_at_any_step_leaves_the_others_working(
    arena: Arena, participants: Callable[[Arena], list[Participant]], soak: float
) -> None:
    random = Random(SEED)
    for number, choose in enumerate(some_orders(100 if soak else 4)):
        arena.stir()
        victim = number % 3
        steps = random.randrange(1, 45 if participants is not three else 6)
        run_in_order(participants(arena), choose, arena.observer, kill=(victim, steps))
        arena.settle()


def test_a_capture_and_a_model_that_note_the_same_work_do_not_deadlock(arena: Arena) -> None:
    for message in ("acme_1", "bolt_1"):
        arena.warehouse.connection.execute(
            "update outbound_messages set updated_at = now() where id = %s", [message]
        )
    note = "select ops.note_pending('outreach', array[%s], 'message', array[%s], 'a model')"
    with connect(arena.warehouse.url, autocommit=False) as model:
        model.execute(note, ["bolt", "bolt_1"])
        capture = Participant("capture", arena.warehouse.url, one_capture, ())
        capture.step()
        # It must not hold what the model notes next.
        assert_waits_for(capture, model, arena.observer)
        model.execute(note, ["acme", "acme_1"])
        model.commit()
    run_in_order([capture], lambda runnable: 0, arena.observer)
    assert len(arena.warehouse.pending()) == 2
    arena.settle()


def one_capture(self_: Participant) -> Iterator[str]:
    yield "capture"
    self_.driver.execute("select ops.capture('outreach')")


def assert_waits_for(
    one: Participant, other: psycopg.Connection[Any], observer: psycopg.Connection[Any]
) -> None:
    deadline = time.monotonic() + 20
    query = "select %s = any(pg_blocking_pids(%s))"
    while observer.execute(query, [other.info.backend_pid, one.pids[0]]).fetchone() != (True,):
        assert time.monotonic() < deadline
        time.sleep(0.02)
