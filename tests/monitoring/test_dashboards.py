"""Each query of the dashboards and each alert's finds something at a real Prometheus that scrapes the real operator."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.cluster.cluster import Cluster, running_cluster
from tests.cluster.emulator import REPOSITORY
from tests.cluster.helm import render
from tests.cluster.operator_process import NAMESPACE
from tests.cluster.probe import status
from tests.cluster.processes import Process, free_port, wait_until
from tests.cluster.tenant import Tenant
from tests.monitoring.dashboards import DASHBOARDS, FOLDER, files
from tests.monitoring.prometheus import prometheus_folder

RULES = REPOSITORY / "manifests/components/prometheus-rules/rules.yaml"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
READY_SECONDS = 30.0
# A rate over five minutes needs two scrapes, and a histogram that moved between them.
DATA_SECONDS = 40.0
QUERIES = [(panel.title, query) for _, panels in DASHBOARDS.values() for panel in panels for query in panel.queries.values()]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster into which Helm has installed, where Pod Security is restricted."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": RESTRICTED}}
    with running_cluster() as running:
        running.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([namespace, *render(NAMESPACE, {})]))
        running.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield running


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that has scraped an operator at work."""
    folder = tmp_path_factory.mktemp("prometheus")
    tenant = Tenant(cluster, "default")
    with cluster.operator(resync_interval="2s", allow_custom_endpoints=True) as operator:
        target = operator.metrics_url.removeprefix("http://").removesuffix("/metrics")
        with scraping(folder, target) as url:
            # An increase is seen only of what was scraped before.
            wait_until(lambda: has_number(asked(url, "up == 1")), READY_SECONDS, "the first scrape")
            tenant.provide()
            tenant.declare("orders", enableKeyRotation=True, deletionPolicy="Delete")
            tenant.declare("gone", deletionPolicy="Delete", tags={"purpose": "deletion"})
            tenant.declare("lost", providerRef={"name": "nobody"})
            for name in ("orders", "gone"):
                tenant.until_settled(name)
            tenant.delete("gone")
            yield url


@contextlib.contextmanager
def scraping(folder: Path, target: str) -> Iterator[str]:
    """A Prometheus that scrapes the target each second, under the job that the ServiceMonitor gives it."""
    job = {"job_name": "infra-operator-metrics", "static_configs": [{"targets": [target]}]}
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{free_port()}"
    command = [str(prometheus_folder() / "prometheus"), f"--web.listen-address={url.removeprefix('http://')}"]
    command += [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}", "--web.enable-lifecycle"]
    with Process(command, folder / "prometheus.log") as process:
        process.wait_ready(lambda: status(f"{url}/-/ready") == 200, READY_SECONDS)
        yield url


def asked(url: str, query: str) -> list[Any]:
    with urlopen(f"{url}/api/v1/query?{urlencode({'query': query})}", timeout=10) as answer:  # noqa: S310 - of 127.0.0.1
        found: list[Any] = json.load(answer)["data"]["result"]
        return found


def has_number(found: list[Any]) -> bool:
    return any(sample["value"][1] != "NaN" for sample in found)


def test_every_query_of_the_dashboards_finds_data(prometheus: str) -> None:
    missing = dict.fromkeys(QUERIES)

    def all_found() -> bool:
        for title, query in list(missing):
            if has_number(asked(prometheus, query)):
                del missing[title, query]
        return not missing

    with contextlib.suppress(TimeoutError):
        wait_until(all_found, DATA_SECONDS, "every query has data")
    assert list(missing) == []


def test_only_the_alerts_hold_that_this_history_calls_for(prometheus: str) -> None:
    """A deletion was scheduled, and a key waits for a provider that nobody makes."""
    rules = yaml.safe_load(RULES.read_text())["spec"]["groups"][0]["rules"]
    holding: set[str] = set()

    def as_expected() -> bool:
        holding.clear()
        holding.update(rule["alert"] for rule in rules if asked(prometheus, rule["expr"]))
        return holding == {"InfraOperatorKeyDeletionScheduled", "InfraOperatorKeysStalled"}

    with contextlib.suppress(TimeoutError):
        wait_until(as_expected, DATA_SECONDS, "the last scrape shows all of it")
    assert as_expected(), (holding, asked(prometheus, 'aws_request_total{operation="ScheduleKeyDeletion"}'))


def test_the_files_are_those_of_the_table() -> None:
    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == files()


def test_every_panel_stands_in_its_own_place() -> None:
    for text in files().values():
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in json.loads(text)["panels"]]
        assert len(set(places)) == len(places)
