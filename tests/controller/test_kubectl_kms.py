"""The command line of the plugin. What the commands do is tested where it is done, and on a real API server."""

import json
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from controller import kubectl_kms
from reconcilers.key_spec import KMSKeySpec
from reconcilers.names import API_VERSION

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:eu-central-1:111122223333:key/{ID}"
COMMANDS = {"plan", "status", "orphans", "rotate", "reconcile", "adopt", "restore"}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A shell that knows no cluster."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(kubectl_kms.main, arguments)


def test_every_command_explains_itself() -> None:
    assert set(kubectl_kms.main.commands) == COMMANDS
    for name in COMMANDS:
        result = invoke(name, "--help")
        assert result.exit_code == 0
        assert all(len(line) <= 120 for line in result.output.splitlines())


@pytest.mark.parametrize(
    ("flag", "value", "adopted"),
    [("--key-id", ID, {"keyId": ID}), ("--arn", ARN, {"arn": ARN}), ("--alias", "alias/orders", {"alias": "alias/orders"})],
)
def test_adopt_prints_the_object_that_takes_a_key_over(flag: str, value: str, adopted: dict[str, Any]) -> None:
    result = invoke("adopt", "orders", "-n", "shop", flag, value, "--provider", "main")
    printed = yaml.safe_load(result.stdout)
    assert printed == {
        "apiVersion": API_VERSION,
        "kind": "KMSKey",
        "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {"providerRef": {"name": "main"}, "adopt": adopted, "deletionPolicy": "Retain"},
    }
    KMSKeySpec.model_validate(printed["spec"])
    assert json.loads(invoke("adopt", "orders", "-n", "shop", flag, value, "--provider", "main", "-o", "json").stdout) == printed


@pytest.mark.parametrize("names", [(), ("--key-id", ID, "--arn", ARN)])
def test_a_key_is_named_once(names: tuple[str, ...]) -> None:
    result = invoke("adopt", "orders", *names)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "name the key once" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("rotate", "orders"), ("reconcile", "orders", "--wait"), ("adopt", "orders", "--key-id", ID, "--apply"), ("restore", "shop/orders")],
)
def test_whatever_asks_a_cluster_needs_one(arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "set KUBECONFIG" in result.stderr


def test_restore_wants_a_namespace_and_a_name() -> None:
    assert "write NAMESPACE/NAME" in invoke("restore", "orders").stderr


def test_without_a_namespace_the_contexts_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contexts = [{"name": "a", "context": {"namespace": "shop"}}]
    (tmp_path / "config").write_text(yaml.safe_dump({"current-context": "a", "contexts": contexts}))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(sys, "argv", ["kubectl-kms", "adopt", "orders", "--key-id", ID])
    with pytest.raises(SystemExit) as ended:
        kubectl_kms.run()
    assert ended.value.code == 0
    assert yaml.safe_load(capsys.readouterr().out)["metadata"]["namespace"] == "shop"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["r"], {"rotate", "reconcile", "restore"}),
        ([""], COMMANDS),
        ([], COMMANDS),
        (["adopt", "orders", "--a"], {"--arn", "--alias", "--apply"}),
        (["status", "-o", ""], {"table", "json"}),
    ],
)
def test_kubectl_is_told_how_words_can_go_on(
    words: list[str], found: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-kms", *words])
    kubectl_kms.complete()
    *told, directive = capsys.readouterr().out.splitlines()
    assert {line.partition("\t")[0] for line in told} == found
    assert directive == ":4"


def test_the_wheel_installs_what_kubectl_looks_for() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    for script in ("kubectl-kms", "kubectl_complete-kms"):
        module, _, function = project["scripts"][script].partition(":")
        assert callable(getattr(import_module(module), function))
