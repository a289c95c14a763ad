"""Invented names of customers and people."""

from __future__ import annotations

TENANT_NAMES = (
    "Acme Outreach",
    "Birch Lane Software",
    "Copperfield Logistics",
    "Dune Analytics Studio",
    "Everest Payroll",
    "Foxglove Health",
    "Granite Insurance",
    "Harbour Freight Desk",
    "Indigo Learning",
    "Juniper Recruiting",
    "Kestrel Robotics",
    "Lantern Energy",
)
FIRST_NAMES = (
    *("Ada", "Ben", "Chloe", "Dev", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kavya"),
    *("Liam", "Mei", "Noor", "Oscar", "Priya", "Quinn", "Rosa", "Sven", "Tara", "Uma", "Viktor"),
)
LAST_NAMES = (
    *("Abbot", "Bose", "Castro", "Dahl", "Evans", "Fischer", "Gupta", "Hill", "Ito", "Jensen"),
    *("Khan", "Lopez", "Meyer", "Novak", "Okafor", "Perez", "Quist", "Rao", "Silva", "Tran"),
)


def tenant_name(position: int) -> str:
    """A name for every tenant; they start again, with a number, after the last one."""
    round_, index = divmod(position, len(TENANT_NAMES))
    return TENANT_NAMES[index] if round_ == 0 else f"{TENANT_NAMES[index]} {round_ + 1}"
