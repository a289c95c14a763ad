"""A warehouse for each delete policy, with a source in which everything can be deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from psycopg.conninfo import conninfo_to_dict

from orchestration.settings import Settings
from tests.outreach.warehouse import OutreachWarehouse
from tests.policy.deletions import DELETIONS, WAYS

MONDAY = datetime(2026, 3, 2, 12)
PEOPLE = ("ann", "bob", "cid", "dot")
TENANTS = [f"{way}{number}" for way in WAYS for number in range(len(DELETIONS))]
ZONES = ("Asia/Kolkata", "America/New_York", "UTC")

Make = Callable[[str], OutreachWarehouse]


def hours(number: float) -> datetime:
    """So many hours after the first message."""
    return MONDAY + timedelta(hours=number)


def add_person(
    warehouse: OutreachWarehouse, tenant: str, contact: str, address: str, number: int
) -> None:
    """A contact with a campaign's steps, three messages, each with rival events, and an opt-out."""
    campaign = warehouse.add_contact(tenant, contact, address)
    for step, status in enumerate(("active", "paused", "active", "completed")):
        at = hours(20 * step + number)
        for copy in range(2 if step == 1 else 1):
            warehouse.insert(
                "campaign_transitions",
                id=f"{contact}_t{step}{copy}", tenant_id=tenant, campaign_id=campaign,
                to_status=status, reason="step", occurred_at=at,
                created_at=at + timedelta(hours=30 * copy),
            )  # fmt: skip
    for n in range(3):
        message, sent = f"{contact}_m{n}", hours(36 * n + number)
        warehouse.add_message(
            tenant, contact, message, sent, state=("sent", "queued", "sent")[n],
            provider_message_id="A" * 22 if n else None,
        )  # fmt: skip
        for name, kind, after in (
            ("delivered", "delivered", 0.01), ("open1", "open", 1), ("open2", "open", 30),
            ("click1", "click", 1), ("click2", "click", 31), ("bounce", "bounce", 2),
        ):  # fmt: skip
            warehouse.add_event(
                tenant, message, f"{message}_{name}", kind, sent + timedelta(hours=after),
                data={"url": name, "ip": "1", "useragent": "Mail"},
            )  # fmt: skip
    out = hours(40 + 30 * number)
    warehouse.add_event(tenant, f"{contact}_m0", f"{contact}_out", "unsubscribe", out)
    on_the_list(warehouse, tenant, contact, address, out, campaign if number == 3 else None)
    warehouse.insert(
        "inbound_messages",
        id=f"{contact}_i", tenant_id=tenant, channel="email", campaign_id=campaign,
        contact_id=contact, received_at=hours(50 + number), created_at=hours(50 + number),
        updated_at=hours(50 + number),
    )  # fmt: skip


def on_the_list(
    warehouse: OutreachWarehouse,
    tenant: str,
    contact: str,
    address: str,
    out: datetime,
    campaign: str | None,
) -> None:
    """A row of the opt-out list: bob's has an address of nobody, cid's came before his event."""
    person = contact.rpartition("_")[2]
    at = out + timedelta(hours=-1 if person == "cid" else 1)
    warehouse.insert(
        "contact_unsubscribes",
        id=f"{contact}_u", tenant_id=tenant, channel="email",
        channel_value=f"nobody@{tenant}.test" if person == "bob" else address,
        campaign_id=campaign, unsubscribed_at=at, unsubscribe_source="manual", created_at=at,
    )  # fmt: skip


def add_copies(warehouse: OutreachWarehouse, tenant: str) -> None:
    """Copies of cid's first open: with its provider's id, by fingerprint, and on dot's message."""
    message, at = f"{tenant}_cid_m0", hours(3)
    for name, target, provider_id in (
        ("same_id", message, f"sg_{message}_open1"),
        ("same_print", message, None),
        ("elsewhere", f"{tenant}_dot_m0", f"sg_{message}_open1"),
    ):
        warehouse.add_event(
            tenant, target, f"{tenant}_copy_{name}", "open", at, created_at=hours(60),
            sg_event_id=provider_id, data={"url": "open1", "ip": "1", "useragent": "Mail"},
        )  # fmt: skip


def fill(warehouse: OutreachWarehouse, tenant: str, zone: str) -> None:
    """A tenant with four people, of whom ann and bob share an address."""
    warehouse.add_tenant(tenant, zone)
    for number, person in enumerate(PEOPLE):
        address = "both" if person in ("ann", "bob") else person
        add_person(warehouse, tenant, f"{tenant}_{person}", f"{address}@{tenant}.test", number)
    add_copies(warehouse, tenant)


@pytest.fixture(scope="session")
def filled_template(
    new_database: Callable[..., str], outreach_template: str, outreach_settings: Settings
) -> str:
    """Name of a database with a refreshed tenant for each deletion and each way to notice it."""
    url = new_database(outreach_template)
    with OutreachWarehouse(outreach_settings, url) as warehouse:
        with warehouse.connection.transaction():
            for number, tenant in enumerate(TENANTS):
                fill(warehouse, tenant, ZONES[number % len(ZONES)])
        warehouse.refresh()
        assert warehouse.differences() == []
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def under(
    new_database: Callable[..., str], filled_template: str, outreach_settings: Settings
) -> Iterator[Make]:
    """Makes a filled and refreshed warehouse under a delete policy."""
    made: list[OutreachWarehouse] = []

    def make(policy: str) -> OutreachWarehouse:
        warehouse = OutreachWarehouse(outreach_settings, new_database(filled_template))
        made.append(warehouse)
        switch(warehouse, policy)
        return warehouse

    yield make
    for warehouse in made:
        warehouse.connection.close()


def switch(warehouse: OutreachWarehouse, policy: str) -> None:
    """Another delete policy from the next refresh on."""
    values = warehouse.settings.model_dump() | {"delete_policy": policy}
    warehouse.settings = Settings.model_validate(values)
