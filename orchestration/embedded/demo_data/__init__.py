"""Sample data for the source tables: a few tenants' mail and conversations, oddities included.

The outreach source keeps no time zone per tenant; the zones chosen here are in
:attr:`DemoDataSummary.tenant_timezones`, for the caller to store.
"""

from orchestration.embedded.demo_data.load import (
    DemoDataSummary,
    create_source_tables,
    generate,
    source_has_rows,
    source_tables_exist,
)
from orchestration.embedded.demo_data.plan import DemoDataPlan

__all__ = [
    "DemoDataPlan",
    "DemoDataSummary",
    "create_source_tables",
    "generate",
    "source_has_rows",
    "source_tables_exist",
]
