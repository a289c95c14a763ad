"""All rows of some leads, from their discovery to the last event, as COPY text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import psycopg

from orchestration.embedded.demo_data.copy_text import Ints, Texts
from orchestration.embedded.demo_data.family import Chunk
from orchestration.embedded.demo_data.outreach import table_rows
from orchestration.embedded.demo_data.outreach.answers import opt_outs, replies
from orchestration.embedded.demo_data.outreach.arrival import store
from orchestration.embedded.demo_data.outreach.campaigns import make_campaigns, make_transitions
from orchestration.embedded.demo_data.outreach.events import Life
from orchestration.embedded.demo_data.outreach.messages import make_messages
from orchestration.embedded.demo_data.outreach.people import Cohort, make_contacts, plan_cohort
from orchestration.embedded.demo_data.outreach.rates import USUAL_RATES, Rates
from orchestration.embedded.demo_data.outreach.tenants import plan_tenants
from orchestration.embedded.demo_data.plan import DemoDataPlan
from orchestration.embedded.demo_data.rhythm import Rhythm

# Small enough that a chunk takes some 100 MB, large enough that numpy's overhead vanishes.
_MESSAGES_PER_CHUNK = 25_000

# A contact who answers and opts out for sure, so that deleting it leaves orphans behind.
_DELETED_RATES = Rates(
    draft_campaign=0, mailbox_provider=0, lost_email=0, failed=0, failed_but_sent=0,
    crashed_but_sent=0, stuck_in_queue=0, dropped=0, bounced=0, silent=0, unsubscribe=1,
    resubscribe=0, unsubscribe_listed=1, reply_inbound=1, late=0,
)  # fmt: skip


class Generator:
    """Makes the rows of a plan chunk by chunk; a chunk depends on the plan and its number only.

    ``start`` and ``end`` of the period are microseconds since 1970 in UTC.
    """

    def __init__(self, plan: DemoDataPlan) -> None:
        self.start, self.end = plan.period_in_micros()
        self.total = plan.messages
        self.tenants = plan_tenants(plan)
        self._seed = plan.seed
        self._tenant_ids = np.array([tenant.id for tenant in self.tenants], "S24")
        zones = list(dict.fromkeys(tenant.zone for tenant in self.tenants))
        self._zone_of_tenant: Ints = np.array([zones.index(t.zone) for t in self.tenants])
        self._rhythm = Rhythm(zones, self.start, self.end)
        self._cohort = plan_cohort(plan, self.tenants, USUAL_RATES)

    @property
    def timezones(self) -> dict[str, str | None]:
        """Zone of each tenant."""
        return {tenant.id: tenant.zone for tenant in self.tenants}

    def chunks(self) -> Iterator[Chunk]:
        """The tenants, then all leads in order of the begin of their campaigns."""
        tenants = table_rows.tenant_rows(self.tenants, self.start)
        yield Chunk({"tenants": tenants}, {"tenants": len(self.tenants)}, 0)
        contacts = 0
        for position, cohort in enumerate(self._cohort.chunks(_MESSAGES_PER_CHUNK)):
            yield self._chunk(cohort, position + 1, contacts, USUAL_RATES)[0]
            contacts += len(cohort.tenant)
        yield self._deleted_contact()

    def _deleted_contact(self) -> Chunk:
        """One more lead whose only contact, with one message, is deleted after the load."""
        one, share = np.zeros(1, np.int64), np.full(1, 0.2)
        cohort = Cohort(one, one, share, share + 0.05, one + 1)
        chunk, contact_ids = self._chunk(cohort, 0, 9_999_999, _DELETED_RATES)
        self._deleted = contact_ids[0].decode()
        staying = ("leads", "contact_unsubscribes", "inbound_messages")  # the rest goes with it
        return Chunk(chunk.text, {table: chunk.rows[table] for table in staying}, 0)

    def settle(self, connection: psycopg.Connection) -> None:
        """Delete the contact that is to be deleted."""
        # In two steps: rows of this very transaction have all their foreign keys checked anew
        # when one of them is set to null, and the campaign would be gone by then.
        connection.execute("delete from contact_campaigns where contact_id = %s", [self._deleted])
        connection.execute("delete from lead_point_of_contacts where id = %s", [self._deleted])

    def _chunk(
        self, cohort: Cohort, position: int, contacts_before: int, rates: Rates
    ) -> tuple[Chunk, Texts]:
        """The rows, and the ids of the contacts."""
        rng = np.random.default_rng([self._seed, 2, position])
        rhythm, ids = self._rhythm, self._tenant_ids
        contacts = make_contacts(rng, cohort, contacts_before, rates)
        messages = make_messages(rng, cohort, contacts, rhythm, rates, self._zone_of_tenant)
        events = Life(rng, messages, contacts, rhythm, rates).events()
        stored = store(rng, events, messages, rhythm, rates, len(self.tenants))
        campaigns = make_campaigns(rng, cohort, messages, stored, rhythm)
        moves = make_transitions(rng, contacts, messages, stored, campaigns, rhythm, rates)
        outs = opt_outs(rng, contacts, messages, stored, campaigns, rhythm, rates)
        answers = replies(rng, messages, rhythm, rates)
        leads, people = table_rows.people_rows(rng, contacts, campaigns, ids, self.start)
        text = {
            "leads": leads,
            "lead_point_of_contacts": people,
            "contact_campaigns": table_rows.campaign_rows(contacts, campaigns, self.tenants, ids),
            "outbound_messages": table_rows.message_rows(rng, messages, contacts, ids),
            "message_events": table_rows.event_rows(rng, stored, messages, contacts, ids),
            "campaign_transitions": table_rows.transition_rows(rng, moves, contacts, ids),
            "contact_unsubscribes": table_rows.opt_out_rows(rng, outs, contacts, ids),
            "inbound_messages": table_rows.reply_rows(rng, answers, messages, contacts, ids),
        }
        counts = (
            len(contacts.lead_ids), len(contacts.ids), len(contacts.ids), len(messages.ids),
            len(stored.created), len(moves.created), len(outs), len(answers.received),
        )  # fmt: skip
        rows = dict(zip(text, counts, strict=True))
        return Chunk(text, rows, rows["outbound_messages"]), contacts.ids
