"""An hourly refresh, backfills and dbt by itself at once: every order ends at the recount."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import psycopg
import pytest

from orchestration.warehouse.connection import connect
from tests.concurrency.orders import (
    DAYS,
    SEED,
    TENANTS,
    AllOrders,
    Arena,
    run_in_order,
    some_orders,
)
from tests.concurrency.participants import Participant, Scripts

pytestmark = pytest.mark.slow


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
