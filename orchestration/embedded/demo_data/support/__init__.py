"""The support family: a few accounts' conversations, with all that goes wrong with bots."""

from pathlib import Path

from orchestration.embedded.demo_data.family import Family
from orchestration.embedded.demo_data.support.generator import Generator
from orchestration.embedded.demo_data.support.table_rows import COLUMNS

SUPPORT = Family(
    tables_sql=Path(__file__).parents[2] / "source_support.sql",
    columns=COLUMNS,
    types=(),
    unit="conversations",
    generator=Generator,
)
