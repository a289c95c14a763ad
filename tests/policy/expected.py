"""What the marts should hold when source rows were deleted: a recount of everything ever seen."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from tests.outreach.marts import COLUMNS, KEYS
from tests.outreach.recount import read_source, recount
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse

ERASED = "__erased__"
KEYS_SET_NULL = ("contact_unsubscribes", "inbound_messages")


class Memory:
    """Every source row that ever was, as it was last seen."""

    def __init__(self, warehouse: OutreachWarehouse) -> None:
        self.warehouse = warehouse
        self.seen: dict[str, pd.DataFrame] = {}
        self.present: dict[str, pd.DataFrame] = {}
        self.look()

    def look(self) -> None:
        """See what the source has now. A key that a deletion set to NULL is remembered."""
        self.present = read_source(self.warehouse.connection, SCHEMA)
        for name, frame in self.present.items():
            if name not in self.seen:
                self.seen[name] = frame
                continue
            before = self.seen[name].set_index("id")
            now = frame.set_index("id")
            if name in KEYS_SET_NULL:
                now = now.combine_first(before.loc[before.index.intersection(now.index)])
            gone = before.loc[before.index.difference(now.index)]
            self.seen[name] = pd.concat([now, gone]).reset_index()[frame.columns]

    def frozen(self) -> dict[str, pd.DataFrame]:
        """The marts as if nothing had been deleted."""
        return recount(self.seen, SCHEMA, self.warehouse.zones)

    def erased(self) -> dict[str, pd.DataFrame]:
        """The same, with the messages and campaigns that are gone under the key ``__erased__``."""
        tables = {name: frame.copy() for name, frame in self.seen.items()}
        # A row that is there and has lost its person is worked out again, from what it says.
        for name in KEYS_SET_NULL:
            kept, now = tables[name], self.present[name]
            tables[name] = pd.concat([now, kept[~kept["id"].isin(now["id"])]])
        messages, contacts = tables["outbound_messages"], tables["lead_point_of_contacts"]
        gone = ~messages["id"].isin(self.present["outbound_messages"]["id"])
        # A person each, so that opt-outs of different people stay apart.
        people = messages.loc[gone, ["id", "contact_id"]].merge(
            contacts, left_on="contact_id", right_on="id", suffixes=("", "_of_contact")
        )
        people["id"] = ERASED + people["id"]
        tables["lead_point_of_contacts"] = pd.concat([contacts, people[contacts.columns]])
        messages.loc[gone, "contact_id"] = ERASED + messages.loc[gone, "id"]
        messages.loc[gone, "campaign_id"] = ERASED
        transitions = tables["campaign_transitions"]
        left = transitions["campaign_id"].isin(self.present["contact_campaigns"]["id"])
        transitions.loc[~left, "campaign_id"] = ERASED + transitions.loc[~left, "campaign_id"]
        return _one_key(recount(tables, SCHEMA, self.warehouse.zones))


def without_ids(marts: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Marts whose erased messages are numbered by what is in their rows, not by chance."""
    marts = dict(marts)
    facts = marts["metrics_message"].copy()
    chosen = facts["contact_id"].str.startswith(ERASED)
    order = [name for name in COLUMNS["metrics_message"] if name != "message_id"]
    erased = facts[chosen].sort_values(order).reset_index(drop=True)
    erased["message_id"] = [f"erased {number}" for number in erased.index]
    marts["metrics_message"] = pd.concat([facts[~chosen], erased])
    return marts


def _one_key(marts: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    for name, frame in marts.items():
        for column in {"contact_id", "campaign_id"} & set(frame.columns):
            erased = frame[column].str.startswith(ERASED)
            frame.loc[erased, column] = ERASED
        if name == "metrics_message":
            continue
        if "status_at_close" in frame:
            frame.loc[frame["campaign_id"] == ERASED, "status_at_close"] = None
        how = {
            column: "first" if column in ("date", "status_at_close") else "sum"
            for column in COLUMNS[name]
            if column not in KEYS[name]
        }
        marts[name] = frame.groupby(KEYS[name], as_index=False).agg(how)[COLUMNS[name]]
    return without_ids(marts)
