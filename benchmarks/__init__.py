"""Programs that print tables. ``python -m benchmarks --help``."""
