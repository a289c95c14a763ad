"""The PostgreSQL server that Rollups brings along for laptops, demos and tests."""

from orchestration.embedded.postgres import EmbeddedPostgres, ServerStatus

__all__ = ["EmbeddedPostgres", "ServerStatus"]
