import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from controller import cli
from controller.admission import refused_by_models
from controller.manifests import read_manifests
from tests.reconcilers.test_migration_ack import KEY as ACK
from tests.reconcilers.test_migration_crossplane import COMMUNITY, UPBOUND
from tests.reconcilers.test_migration_older import KEY as OLDER
from tests.reconcilers.test_migration_terraform import KEY, state

LIST = {"apiVersion": "v1", "kind": "List", "items": [ACK]}


def migrate(source: str, document: Any, *flags: str) -> Result:
    return CliRunner().invoke(cli.main, ["migrate", "--from", source, *flags], input=json.dumps(document))


@pytest.mark.parametrize(
    ("source", "document", "name"),
    [
        ("ack", LIST, "orders"),
        ("crossplane", UPBOUND, "orders"),
        ("crossplane", COMMUNITY, "dev-key"),
        ("terraform", state("aws_kms_key", KEY), "orders"),
    ],
)
def test_what_is_printed_would_be_admitted(source: str, document: Any, name: str, tmp_path: Path) -> None:
    result = migrate(source, document, "--provider", "main")
    assert result.exit_code == 0, result.stderr
    (tmp_path / "keys.yaml").write_text(result.stdout)
    (manifest,) = read_manifests([str(tmp_path / "keys.yaml")], "default")
    assert manifest.ref.name == name
    assert manifest.spec["adopt"]["arn"].endswith(":key/1234abcd-12ab-34cd-56ef-1234567890ab")
    assert (manifest.spec["providerRef"], manifest.spec["deletionPolicy"]) == ({"name": "main"}, "Retain")
    assert refused_by_models(manifest) is None


def test_a_file_can_be_named_and_the_rest_is_told_beside(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text(json.dumps(state("aws_kms_key", KEY)))
    result = CliRunner().invoke(cli.main, ["migrate", "--from", "terraform", str(file)])
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "Note: Before Terraform's next run: terraform state rm aws_kms_key.orders.",
        "Note: 1 of these keys need an AWSProvider that leads to account 111122223333, region eu-central-1.",
    ]


def test_json_is_a_list_that_kubectl_takes() -> None:
    told = json.loads(migrate("ack", LIST, "-o", "json").stdout)
    assert (told["kind"], [one["kind"] for one in told["items"]]) == ("List", ["KMSKey"])


def test_objects_without_a_namespace_get_the_one_that_is_given() -> None:
    assert yaml.safe_load(migrate("crossplane", UPBOUND, "-n", "shop").stdout)["metadata"] == {
        "name": "orders",
        "namespace": "shop",
    }
    assert yaml.safe_load(migrate("crossplane", UPBOUND).stdout)["metadata"] == {"name": "orders"}


def test_a_policy_of_several_lines_stays_readable() -> None:
    policy = '{\n  "Version": "2012-10-17"\n}\n'
    result = migrate("ack", {**ACK, "spec": {"policy": policy}})
    assert '  keyPolicy: |\n    {\n      "Version": "2012-10-17"\n    }\n' in result.stdout
    assert yaml.safe_load(result.stdout)["spec"]["keyPolicy"] == policy


def test_what_was_left_out_is_told_by_the_exit_code_too() -> None:
    result = migrate("terraform", state("aws_kms_replica_key", {}))
    assert (result.exit_code, result.stdout.strip()) == (2, "")
    assert result.stderr.startswith("Left out: aws_kms_replica_key.orders: a replica is not taken over by itself")


def test_what_admission_would_refuse_is_printed_and_told() -> None:
    result = migrate("terraform", state("aws_kms_key", {**KEY, "deletion_window_in_days": 3}))
    assert result.exit_code == 2
    assert yaml.safe_load(result.stdout)["spec"]["pendingWindowInDays"] == 3
    assert "Left out: KMSKey default/orders as printed would be refused: " in result.stderr


def test_the_older_operators_objects_need_no_manifest() -> None:
    result = migrate("go-operator", OLDER)
    assert (result.exit_code, result.stdout.strip()) == (0, "")
    assert "needs no manifest" in result.stderr


@pytest.mark.parametrize(
    ("source", "document", "words"),
    [
        ("ack", {"apiVersion": "v1", "kind": "List", "items": []}, "holds nothing of KMS that ack manages"),
        ("ack", ["a"], "holds a list where an object is due"),
        ("ack", {"apiVersion": "kms.services.k8s.aws/v1alpha1", "kind": "Key"}, "is not in the form of ack: KeyError 'metadata'"),
        ("terraform", {"apiVersion": "v1"}, "it is neither a Terraform state of version 4"),
        ("terraform", {"resources": [{"mode": "managed", "instances": [{}]}]}, "is not in the form of terraform"),
        ("terraform", state("aws_s3_bucket", {}), "holds nothing of KMS that terraform manages"),
    ],
)
def test_another_file_is_refused(source: str, document: Any, words: str) -> None:
    result = migrate(source, document)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr


def test_a_mistake_in_a_flag_ends_with_1_because_2_is_an_answer() -> None:
    assert migrate("pulumi", {}).exit_code == 1
