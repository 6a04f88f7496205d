"""The annotation plan: nothing is done while it is there, and what it foretold is done when it is gone."""

import pytest

from controller.key_objects import KMSKEYS
from reconcilers.names import API_VERSION, PLAN_ANNOTATION
from tests.simulation.scenarios import FULL
from tests.simulation.world import NAMESPACE, World

pytestmark = pytest.mark.virtual_time

ON = {"metadata": {"annotations": {PLAN_ANNOTATION: "true"}}}
OFF = {"metadata": {"annotations": {PLAN_ANNOTATION: None}}}


async def test_a_new_object_with_it_makes_nothing_but_a_plan() -> None:
    async with World() as world:
        world.start("a")
        metadata = {"name": "orders", "annotations": {PLAN_ANNOTATION: "true"}}
        world.user("POST", KMSKEYS.path(NAMESPACE), {"apiVersion": API_VERSION, "kind": "KMSKey", "metadata": metadata, "spec": FULL})
        await world.advance(300)
        found = world.find("orders")
        assert found is not None
        assert list(found["status"]) == ["plan"]
        assert "finalizers" not in found["metadata"]
        assert [line.split()[0] for line in found["status"]["plan"]] == ["add", "create", "enable"]
        assert world.kms.made == []
        world.patch("orders", OFF)
        await world.ready("orders")
        assert "plan" not in world.status("orders")
        assert len(world.kms.made) == 1


async def test_changes_and_the_deletion_wait_for_its_removal() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.patch("orders", ON)
        began = world.time
        world.apply("orders", **FULL | {"description": "All orders", "deletionPolicy": "Delete"})
        await world.until(lambda: world.status("orders").get("plan") == ["update the description"])
        world.delete("orders")
        await world.until(lambda: "schedule the key's deletion in 30 days" in world.status("orders").get("plan", ()))
        await world.advance(300)
        assert world.traffic.names("aws", began) == {}
        assert world.status("orders")["observedGeneration"] == 1
        world.patch("orders", OFF)
        await world.gone("orders")
        assert [key.state for key in world.kms.keys] == ["PendingDeletion"]
