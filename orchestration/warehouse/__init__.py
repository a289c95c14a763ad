"""Everything that talks to PostgreSQL from Python: connections, bootstrap, the refresh, checks."""
