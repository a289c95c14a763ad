"""The outreach family: a few tenants' mail, with all its oddities."""

from pathlib import Path

from orchestration.embedded.demo_data.family import Family
from orchestration.embedded.demo_data.outreach.generator import Generator
from orchestration.embedded.demo_data.outreach.table_rows import COLUMNS

OUTREACH = Family(
    tables_sql=Path(__file__).parents[2] / "source_outreach.sql",
    columns=COLUMNS,
    types=(
        "campaign_channel",
        "campaign_status",
        "outbound_message_state",
        "email_verification_result",
    ),
    unit="messages",
    generator=Generator,
)
