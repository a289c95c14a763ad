"""What a run needs, imported and made once in the process that runs are forked from.

None of it opens a connection or starts a thread: neither would survive the fork.
"""

from __future__ import annotations

import gc
from contextlib import suppress
from importlib import import_module

from orchestration.settings import load_settings

IMPORTED_BY_A_RUN = (
    "orchestration.definitions",
    "orchestration.storage",
    "dagster._cli",
    "dagster._core.definitions.repository_definition.repository_data_builder",
    "dagster._core.execution.plan.active",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.storage.fs_io_manager",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._daemon.controller",
    "dbt.adapters.postgres",
    "dbt.cli.main",
    "dbt.task.build",
    "dbt_common.clients.agate_helper",
    "psycopg2.extras",
)

for module in IMPORTED_BY_A_RUN:
    # Whatever is missing or wrong here, the run meets again and says so.
    with suppress(Exception):
        import_module(module)
with suppress(Exception):
    import_module("orchestration.dbt_runner").dbt_project(load_settings()).warm_up()
# The collector would touch, and so copy, every page that the runs share.
gc.collect()
gc.freeze()
