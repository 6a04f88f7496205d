"""The pages of docs/ are true: their commands are run one after the other, and print what the pages show."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.emulator import REPOSITORY, Backend
from tests.cluster.sessions import Page, PageError, Reader, Step, read_page
from tests.cluster.tenant import provider

DOCS = REPOSITORY / "docs"
TASKS = ("adopt", "grants", "kubectl", "multi-region", "plan", "recover", "rotate", "tutorial")

ID, OTHER_ID = "1e5b2159-143a-4508-91a5-5025bcef86f9", "b02967a6-6ccb-49f4-b31f-246211b3a7a7"


@pytest.fixture(scope="module")
def reader(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A user of the namespace default, which has one provider; the AWS is the one that refuses what AWS refuses."""
    with cluster.beside(Backend.STRICT) as beside, beside.operator(resync_interval="2s", quota_fraction="1.0") as operator:
        beside.kubectl("delete", "secret", "--all", "--timeout=30s")  # of those who were in this namespace before
        beside.kubectl("apply", "-f", "-", stdin=json.dumps(provider("main")))
        beside.kubectl("wait", "--for=condition=Ready", "awsprovider/main", "--timeout=30s")
        folder = tmp_path_factory.mktemp("reader")
        (folder / "manifests").symlink_to(REPOSITORY / "manifests")
        yield Reader(beside, folder)
        beside.kubectl("delete", "awsprovider,secret", "--all", "--timeout=30s")
        assert operator.process.terminate(30) == 0


@pytest.mark.parametrize("task", TASKS)
def test_a_page_shows_what_its_commands_print(reader: Reader, cluster: Cluster, task: str) -> None:
    try:
        reader.follow(read_page(DOCS / f"{task}.md"))
    finally:
        cluster.kubectl("delete", "kmskeys", "--all", "--timeout=30s")


def test_the_readme_leads_to_every_page() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    assert [task for task in TASKS if f"(docs/{task}.md" not in readme] == []


PAGE = f"""# Title

```yaml
# a.yaml
kind: A
```

```console
$ kubectl get a \\
    -o name
one   {ID}   5s

$ kubectl delete a
```
"""


def test_a_page_is_files_and_commands_with_what_they_print(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(PAGE)
    steps = (Step("kubectl get a     -o name", f"one   {ID}   5s"), Step("kubectl delete a", ""))
    assert read_page(tmp_path / "a.md") == Page("a", {"a.yaml": "# a.yaml\nkind: A\n"}, steps)


class Parrot(Reader):
    """Prints what it was told to."""

    def __init__(self, *printed: str) -> None:
        self._printed = list(printed)
        self._ids = {}

    def run(self, command: str) -> str:
        """The next output, whatever the command."""
        assert command
        return self._printed.pop(0)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a  b", "a      b\n"),
        (f"key {ID} of 3s", f"key {OTHER_ID} of 2m10s"),
        ("at 2026-03-01T12:00:00Z", "at 2027-11-26T02:00:23.123456+00:00"),
    ],
)
def test_ids_ages_times_and_widths_may_differ(shown: str, printed: str) -> None:
    Parrot(printed).follow(Page("a", {}, (Step("x", shown),)))


@pytest.mark.parametrize(
    ("shown", "printed"), [("Enabled", "Disabled"), (ID, "none"), ("3s", "3"), ("one", "one\ntwo"), ("7 days", "30 days")]
)
def test_nothing_else_may_differ(shown: str, printed: str) -> None:
    with pytest.raises(PageError, match=re.escape("docs/a.md\n$ x")):
        Parrot(printed).follow(Page("a", {}, (Step("x", shown),)))


def test_an_id_is_the_same_on_the_whole_page() -> None:
    with pytest.raises(PageError):
        Parrot(ID, OTHER_ID).follow(Page("a", {}, (Step("x", ID), Step("x", ID))))
