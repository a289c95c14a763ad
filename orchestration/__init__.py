"""Rollups: pre-aggregated message and support metrics, kept right by Dagster and dbt."""

__version__ = "0.1.0"
