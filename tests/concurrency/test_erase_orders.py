"""A contact is erased while refreshes and backfills are at work: nobody is left, no total is lost.

What is right is a recount of everything the source ever had, with the erased people's rows under
one key. So this also says that no bucket is lost or doubled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from random import Random

import pytest

from orchestration.warehouse.bootstrap import write_config
from orchestration.warehouse.verify import verify
from tests.concurrency.conftest import Open
from tests.concurrency.orders import (
    DAYS,
    SEED,
    TENANTS,
    AllOrders,
    Arena,
    Choose,
    run_in_order,
)
from tests.concurrency.participants import Participant, Scripts
from tests.concurrency.source import LAST_DAY
from tests.outreach.marts import compare
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.policy.conftest import PEOPLE, add_person, switch
from tests.policy.expected import Memory, without_ids
from tests.policy.traces import ids_of, places_of

pytestmark = pytest.mark.slow


class ErasingArena(Arena):
    """An arena in which a new person of the first tenant is erased in every order."""

    def __init__(self, warehouse: OutreachWarehouse) -> None:
        super().__init__(warehouse)
        self.memory = Memory(warehouse)
        self.erased: set[str] = set()

    def add_person(self) -> str:
        """Somebody with messages, events, steps, a reply and an opt-out, all of it counted."""
        number = next(self.number)
        person = PEOPLE[number % len(PEOPLE)]
        contact = f"{TENANTS[0]}_{number}_{person}"
        add_person(self.warehouse, TENANTS[0], contact, f"{contact}@acme.example", number % 4)
        # They came in long ago.
        self.observer.execute(
            "select ops.note_pending('outreach', array[%s], 'tenant', array[''], 'test')",
            TENANTS[:1],
        )
        self.settle()
        self.erased |= ids_of(self.warehouse, contact) | {f"{contact}_last", f"{contact}_last_open"}
        return contact

    def note_days(self) -> None:
        """What a killed backfill has left: whoever comes next replaces these days whole."""
        self.observer.execute(
            "select ops.note_pending('outreach', array_fill(%s::text, array[%s]), 'date',"
            " %s::date[]::text[], 'backfill')",
            [TENANTS[0], len(DAYS), DAYS],
        )

    def differences(self) -> list[str]:
        self.memory.look()
        expected, actual = self.memory.erased(), without_ids(self.warehouse.marts())
        # Whether the last message was counted before it was deleted depends on the order.
        for marts in (expected, actual):
            for name, frame in marts.items():
                marts[name] = frame[frame["date"] < LAST_DAY]
        return compare(expected, actual)

    def is_erased(self) -> None:
        """Nobody is left in any table, every total is, and the recount of the product agrees."""
        self.settle()
        assert places_of(self.warehouse, self.erased) == []
        report = verify(
            self.observer, "outreach", source_schema=SCHEMA, date_from=None, date_to=None
        )
        assert report.differences == []
        assert report.kept_rows > 0
        assert self.deadlocks() == 0


@pytest.fixture(params=["erase watermark", "erase triggers", "freeze triggers"])
def erasing(request: pytest.FixtureRequest, outreach: OutreachWarehouse, open_arena: Open) -> Arena:
    """An arena for a delete policy under which totals stay, and a way to capture changes."""
    policy, capture = request.param.split()
    switch(outreach, policy)
    values = outreach.settings.model_dump() | {"change_capture": capture}
    outreach.settings = type(outreach.settings).model_validate(values)
    write_config(outreach.connection, outreach.settings)
    if capture == "triggers":
        outreach.connection.execute("select ops.install_triggers('outreach')")
    return open_arena(ErasingArena(outreach))


def randoms(soak: float, number: int) -> Iterator[Random]:
    """One for each order, so many or as many as there is time for; a seed runs its order again."""
    deadline = time.monotonic() + soak * 60
    for seed in count(SEED):
        if seed >= SEED + number and time.monotonic() > deadline:
            return
        print("order of seed", seed)
        yield Random(seed)


def chosen_by(random: Random) -> Choose:
    return lambda runnable: random.randrange(len(runnable))


def hourly(arena: Arena) -> Participant:
    return Participant("hourly", arena.warehouse.url, Scripts(arena.models).hourly(), TENANTS)


def backfill(arena: Arena) -> Participant:
    script = Scripts(arena.models).backfill(TENANTS[:1], DAYS)
    return Participant("backfill", arena.warehouse.url, script, TENANTS[:1])


def command(arena: Arena) -> Participant:
    script = Scripts(arena.models).backfill(TENANTS, DAYS[1:], noted=True)
    return Participant("command", arena.warehouse.url, script, TENANTS)


def dbt(arena: Arena) -> Participant:
    return Participant("dbt", arena.warehouse.url, Scripts(arena.models, fine=True).dbt(), ())


def erase(arena: ErasingArena, contact: str) -> Participant:
    script = Scripts(arena.models).erase(TENANTS[0], contact)
    return Participant("erase", arena.warehouse.url, script, TENANTS[:1])


Make = Callable[[Arena], Participant]
BESIDE: Sequence[Sequence[Make]] = (
    (hourly, backfill, command),
    (dbt,),
    (dbt, hourly),
)


def try_order(
    erasing: ErasingArena,
    beside: Sequence[Make],
    choose: Choose,
    kill: tuple[int, int] | None = None,
) -> None:
    contact = erasing.add_person()
    erasing.stir()
    erasing.hide_a_change()
    participants = [make(erasing) for make in beside] + [erase(erasing, contact)]
    run_in_order(participants, choose, erasing.observer, kill)
    if kill is not None:
        run_in_order([erase(erasing, contact)], choose, erasing.observer)
    erasing.is_erased()


def test_orders_of_an_erase_beside_others(erasing: ErasingArena, soak: float) -> None:
    for number, random in enumerate(randoms(soak, 3)):
        if random.random() < 0.5:
            erasing.note_days()
        try_order(erasing, BESIDE[number % 3], chosen_by(random))


@pytest.mark.parametrize("other", [hourly, backfill])
def test_every_order_of_an_erase_beside_one_other(
    erasing: ErasingArena, other: Make, soak: float
) -> None:
    if not soak:
        pytest.skip("hundreds of orders: make soak")
    for number, choose in enumerate(AllOrders().rounds(), start=1):
        erasing.note_days()
        try_order(erasing, [other], choose)
        print("order", number)


def test_whoever_is_killed_beside_an_erase_or_in_it(erasing: ErasingArena, soak: float) -> None:
    for number, random in enumerate(randoms(soak, 2)):
        victim = (len(BESIDE[number % 3]), 0)[number % 2]
        steps = random.randrange(1, 9 if number % 2 == 0 else 45)
        erasing.note_days()
        try_order(
            erasing,
            BESIDE[number % 3],
            chosen_by(random),
            kill=(victim, steps),
        )
