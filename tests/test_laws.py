"""The laws of the architecture that a reader of the source can check: who may import whom, and what the pure half may not know."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("reconcilers", "aws", "controller")

# All that deciding needs: data, text and arithmetic. No clock, no chance, no environment, no network, no log.
PURE = {
    *("collections", "dataclasses", "datetime", "decimal", "enum", "functools", "hashlib", "json", "re", "typing"),  # the standard library's
    *("pydantic", "yaml"),
    "reconcilers",
}
# Calls that reach out of a module that imports nothing dangerous.
IMPURE_CALLS = re.compile(r"(\.|^)(now|today|utcnow|open|print|input|exec|eval|__import__)$")

# What would drive any custom resource unchanged. Everything else in controller/ is where Kubernetes and AWS meet.
ENGINE = {
    *("access", "connection", "kube", "objects", "listing"),
    *("streams", "position", "informer", "store", "own_writes", "patches", "kinds"),
    *("workqueue", "workers", "lease", "lease_rules"),
    *("condition_counts", "events", "logs", "metrics", "server", "settings", "tables"),
}


def modules(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py"))


def by_name(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def imports(path: Path) -> Iterator[str]:
    """What a module imports, dotted, wherever in the module it does: `a.b` for `from a import b` too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages_of(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def calls(path: Path) -> Iterator[str]:
    yield from (ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


@pytest.mark.parametrize("path", by_name(modules("reconcilers")))
def test_the_pure_half_imports_nothing_that_acts(path: Path) -> None:
    assert packages_of(path) <= PURE


@pytest.mark.parametrize("path", by_name(modules("reconcilers")))
def test_the_pure_half_neither_waits_nor_looks_around(path: Path) -> None:
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, waiting)] == []
    assert [name for name in calls(path) if IMPURE_CALLS.search(name)] == []


@pytest.mark.parametrize("path", by_name(modules("aws")))
def test_what_speaks_to_aws_knows_no_controller(path: Path) -> None:
    assert "controller" not in packages_of(path)
    assert "kubernetes_asyncio" not in packages_of(path)


@pytest.mark.parametrize("path", by_name([path for path in modules("controller") if path.stem in ENGINE]))
def test_the_engine_knows_neither_kms_nor_aws(path: Path) -> None:
    assert not packages_of(path) & {"aws", "reconcilers", "aiobotocore", "botocore", "boto3"}


@pytest.mark.parametrize("path", by_name([path for package in PACKAGES for path in modules(package)]))
def test_the_product_does_not_lean_on_its_tests(path: Path) -> None:
    assert "tests" not in packages_of(path)


@pytest.mark.parametrize("path", by_name([path for package in (*PACKAGES, "tests") for path in modules(package)]))
def test_no_type_error_is_silenced(path: Path) -> None:
    silenced = re.compile(r"#\s*type:\s*" + "ignore")
    assert not silenced.search(path.read_text())


def has_code(path: Path) -> bool:
    """Whether a module holds functions; tables of names and plain data are tested where they are used."""
    return any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(path.read_text())))


@pytest.mark.parametrize("path", by_name([path for path in modules("reconcilers") if has_code(path)]))
def test_every_module_of_the_pure_half_has_its_tests(path: Path) -> None:
    assert (ROOT / "tests" / "reconcilers" / f"test_{path.stem}.py").exists()
