"""The code location of the Dagster tests."""

from tests.dagster.conftest import filled, location, use_database

__all__ = ["filled", "location", "use_database"]
