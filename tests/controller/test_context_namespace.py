from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.context_namespace import context_namespace


def config(current: str | None, **namespaces: str | None) -> dict[str, Any]:
    contexts = [{"name": name, "context": {"cluster": "c", "namespace": namespace}} for name, namespace in namespaces.items()]
    return {"apiVersion": "v1", "kind": "Config", "current-context": current, "contexts": contexts}


@pytest.mark.parametrize(
    ("configs", "namespace"),
    [
        ([config("b", a="other", b="shop")], "shop"),
        ([config("b", b=None)], "default"),
        ([config("absent", a="other")], "default"),
        ([config(None, a="other")], "default"),
        ([config(None, a="shop"), config("a", a="other")], "shop"),
        ([config("a"), config("b", a="shop", b="other")], "shop"),
        (["["], "default"),
        (["text", config("a", a="shop")], "shop"),
        ([], "default"),
    ],
)
def test_the_current_context_says_where_a_user_is(
    configs: list[Any], namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / f"{number}.yaml" for number, _ in enumerate(configs)]
    for file, one in zip(files, configs, strict=True):
        file.write_text(one if isinstance(one, str) else yaml.safe_dump(one))
    monkeypatch.setenv("KUBECONFIG", ":".join([str(tmp_path / "absent"), *map(str, files)]))
    assert context_namespace() == namespace


def test_without_kubeconfig_the_usual_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(yaml.safe_dump(config("a", a="shop")))
    assert context_namespace() == "shop"
