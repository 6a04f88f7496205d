"""The command lines of plan, status, orphans and iam-policy: flags, forms, exit codes. What they find is tested where it is found."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from click.testing import CliRunner, Result

from controller import cli
from reconcilers.iam import USUAL, Feature, Where, policy
from reconcilers.names import API_VERSION

KEY = {"apiVersion": API_VERSION, "kind": "KMSKey", "metadata": {"name": "orders"}, "spec": {}}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A shell that knows neither a cluster nor an account, and loggers that are as they were after the test."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def invoke(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli.main, arguments, input=stdin)


def written(path: Path, *objects: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump_all(objects))
    return str(path)


# -- plan


def test_a_plan_is_a_table_and_the_exit_code_tells_the_worst(tmp_path: Path) -> None:
    result = invoke("plan", "-f", written(tmp_path / "key.yaml", KEY))
    assert result.exit_code == 1
    heading, row, *_ = result.stdout.splitlines()
    assert heading.split() == ["OBJECT", "ACTION", "KEY", "WHAT"]
    assert row.split()[:4] == ["kmskey/default/orders", "(refused)", "-", "ProviderNotResolved:"]
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("is_terminal", "environment", "is_coloured"), [(True, {}, True), (True, {"NO_COLOR": "1"}, False), (False, {}, False)]
)
def test_colours_are_for_terminals(is_terminal: bool, environment: dict[str, str], is_coloured: bool, tmp_path: Path) -> None:
    arguments = ["plan", "-f", written(tmp_path / "key.yaml", KEY)]
    result = CliRunner().invoke(cli.main, arguments, env=environment, color=is_terminal)
    assert ("\x1b[31m(refused)\x1b[0m" in result.stdout) is is_coloured
    assert ("\x1b" in result.stdout) is is_coloured


def test_a_held_object_needs_nothing_and_changes_nothing(tmp_path: Path) -> None:
    result = invoke("plan", "-f", written(tmp_path / "key.yaml", {**KEY, "spec": {"suspend": True}}))
    assert result.exit_code == 0
    assert "(waits)" in result.stdout


def test_a_plan_is_json_on_request(tmp_path: Path) -> None:
    result = invoke("plan", "-o", "json", "-n", "team", "-f", written(tmp_path / "key.yaml", KEY))
    (told,) = json.loads(result.stdout)["objects"]
    assert (told["namespace"], told["verdict"]) == ("team", "refused")


def test_files_may_stand_behind_one_f_or_each_behind_its_own(tmp_path: Path) -> None:
    other = written(tmp_path / "other.yaml", {**KEY, "metadata": {"name": "other"}})
    file = written(tmp_path / "key.yaml", KEY)
    behind_one, each = invoke("plan", "-f", file, other), invoke("plan", "-f", file, "-f", other)
    assert behind_one.stdout == each.stdout
    with_input = invoke("plan", "-f", other, "-f", "-", stdin=Path(file).read_text())
    for told in (each.stdout, with_input.stdout):
        assert "kmskey/default/orders" in told
        assert "kmskey/default/other" in told


def test_the_flags_of_the_operator_are_taken(tmp_path: Path) -> None:
    file = written(tmp_path / "key.yaml", KEY)
    result = invoke("plan", "-f", file, "--default-provider", "platform/main", "--default-deletion-policy", "Retain", "--create-grace", "1m")
    assert "AWS_REGION is not set" in result.stdout
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan"], "there is no file: write plan -f FILE"),
        (["plan", "-f", "/absent.yaml"], "File '/absent.yaml' does not exist"),
        (["plan", "-f", "/"], "File '/' is a directory"),
        (["plan", "--unknown"], "No such option"),
        (["plan", "-f", "-", "--create-grace", "5 minutes"], "'5 minutes' is not a duration"),
        (["orphans", "-o", "yaml"], "'yaml' is not one of 'table', 'json'"),
        (["orphans", "argument"], "unexpected extra argument"),
        (["status", "--watch"], "No such option"),
    ],
)
def test_a_mistake_in_a_flag_ends_with_1_because_2_is_an_answer(arguments: list[str], words: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stdout == ""


def test_a_file_that_is_no_manifest_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("[")
    result = invoke("plan", "-f", str(tmp_path / "text"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is not YAML" in result.stderr


def test_a_cluster_that_is_named_and_not_there_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    result = invoke("plan", "-f", written(tmp_path / "key.yaml", KEY))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no kubeconfig at" in result.stderr


# -- orphans


def test_orphans_needs_a_cluster() -> None:
    result = invoke("orphans")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "set KUBECONFIG" in result.stderr


# -- status


def test_status_needs_a_cluster() -> None:
    result = invoke("status", "-n", "shop")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "set KUBECONFIG" in result.stderr


# -- iam-policy


def test_the_policy_is_json_and_nothing_else() -> None:
    result = invoke("iam-policy")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == policy(USUAL, Where())
    assert result.stderr == ""
    assert invoke("iam-policy", "-o", "json").stdout == result.stdout


def test_features_are_chosen_by_name() -> None:
    result = invoke("iam-policy", "--feature", "core", "--feature", "delete")
    assert json.loads(result.stdout) == policy([Feature.CORE, Feature.DELETE], Where())


def test_the_policy_can_be_narrowed_down() -> None:
    flags = ["--partition", "aws-cn", "--account-id", "111122223333", "--region", "cn-north-1", "--cluster-id", "c"]
    result = invoke("iam-policy", *flags, "--feature", "roles", "--role-arn", "arn:aws-cn:iam::111122223333:role/a")
    where = Where("aws-cn", "111122223333", "cn-north-1", "c", ("arn:aws-cn:iam::111122223333:role/a",))
    assert json.loads(result.stdout) == policy([Feature.ROLES], where)


def test_each_action_can_be_explained_beside_the_policy() -> None:
    result = invoke("iam-policy", "--explain", "--feature", "delete")
    heading, row = result.stderr.splitlines()
    assert heading.split() == ["ACTION", "FEATURE", "STATEMENT", "FOR"]
    assert row.split()[:4] == ["kms:ScheduleKeyDeletion", "delete", "DeleteOwnKeys", "deletionPolicy"]
    assert json.loads(result.stdout)


def test_a_feature_that_does_not_exist_is_refused() -> None:
    result = invoke("iam-policy", "--feature", "everything")
    assert result.exit_code == 2
    assert "'everything' is not one of 'core', 'create'" in result.stderr


@pytest.mark.parametrize("command", ["plan", "status", "orphans", "iam-policy"])
def test_every_command_explains_itself(command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert all(len(line) <= 120 for line in result.output.splitlines())
