"""operations/kubernetes: what Dagster can be asked about its file, and names that must agree."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config
from dagster._serdes.config_class import class_from_code_pointer

from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.storage import PooledPostgresStorage

FOLDER = PROJECT_ROOT / "operations" / "kubernetes"
# Not installed here: its users add it to their image.
NOT_HERE = "dagster_k8s"


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The instance's file as Dagster reads it; a key it does not know is an error."""
    monkeypatch.setenv("ROLLUPS_DAGSTER_DATABASE_URL", "postgresql://me@localhost/rollups")
    config, _ = dagster_instance_config(str(FOLDER))
    return dict(config)


@pytest.fixture
def manifests() -> dict[str, dict[str, Any]]:
    documents = yaml.safe_load_all((FOLDER / "rollups.yaml").read_text())
    return {document["kind"]: document for document in documents}


def test_every_class_takes_its_configuration(instance: dict[str, Any]) -> None:
    named = [
        (where, part)
        for where in ("storage", "run_coordinator", "run_launcher", "compute_logs")
        for part in [instance[where].get("custom", instance[where])]
        if part["module"] != NOT_HERE
    ]
    assert [where for where, _ in named] == ["storage", "run_coordinator", "compute_logs"]
    for where, part in named:
        # Dagster still takes the name of its module that its users know.
        module = part["module"].replace("dagster.core.", "dagster._core.")
        found: Any = class_from_code_pointer(module, part["class"])
        result = process_config(resolve_to_config_type(found.config_type()), part.get("config", {}))
        assert result.success, f"{where}: {result.errors}"
    assert named[0][1]["class"] == PooledPostgresStorage.__name__


def test_it_differs_from_our_own_file_only_where_it_must(instance: dict[str, Any]) -> None:
    ours, _ = dagster_instance_config(str(PROJECT_ROOT))
    same = ("storage", "concurrency", "run_retries", "retention", "telemetry", "nux")
    assert {key: instance[key] for key in same} == {key: ours[key] for key in same}


def test_runs_get_what_the_other_processes_have(
    instance: dict[str, Any], manifests: dict[str, dict[str, Any]]
) -> None:
    launcher = instance["run_launcher"]["config"]
    settings, pod = manifests["ConfigMap"], manifests["Deployment"]["spec"]["template"]["spec"]
    assert launcher["env_config_maps"] == [settings["metadata"]["name"]]
    assert launcher["service_account_name"] == pod["serviceAccountName"]
    assert launcher["dagster_home"] == settings["data"]["DAGSTER_HOME"]
    assert {document["metadata"]["namespace"] for document in manifests.values()} == {
        launcher["job_namespace"]
    }
    for container in pod["containers"]:
        assert container["image"] == launcher["job_image"]
        names = [next(iter(one.values()))["name"] for one in container["envFrom"]]
        assert names == launcher["env_config_maps"] + launcher["env_secrets"]
        assert container["command"][-1] == "orchestration.definitions"
    volume = pod["volumes"][0]["configMap"]["name"]
    assert volume == launcher["instance_config_map"]
    known = {f"ROLLUPS_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in settings["data"] if name.startswith("ROLLUPS_")} <= known
