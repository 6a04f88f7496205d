"""The objects of a storm, and the user who makes, changes, deletes and makes them again meanwhile.

What a name's key can never change (spec, usage, regions) follows from its number; all else is drawn. What is remembered is what the API server
has acknowledged.
"""

import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.cluster.api import Api, RefusedError
from tests.cluster.tenant import API_VERSION
from tests.storm.stage import User

Spec = dict[str, Any]
REPLICA_REGION = "eu-west-1"
PATH = f"/apis/{API_VERSION}/namespaces/default/kmskeys"


def draw(number: int, random: Random) -> Spec:
    """A spec for this name, different from call to call."""
    spec: Spec = {"description": f"{number} {random.randrange(10**6)}", "tags": {"team": random.choice("abc"), f"t{random.randrange(3)}": "x"}}
    if number % 11 == 0:
        spec |= {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}
    elif number % 7 == 0:
        spec |= {"enabled": random.random() < 0.5}
    elif random.random() < 0.6:
        spec |= {"enableKeyRotation": True, "rotationPeriodInDays": random.choice((90, 180, 365))}
    if number % 13 == 0:
        spec |= {"multiRegion": True, "replicas": [{"region": REPLICA_REGION}]}
    if random.random() < 0.4:
        spec["aliases"] = [f"alias/storm-{number}-{letter}" for letter in random.sample("abc", 2)]
    if number % 5 == 0 and number % 7 != 0:
        spec["grants"] = [grant(name) for name in random.sample(("x", "y", "z"), 2)] if number % 11 else []
    spec["deletionPolicy"] = ("ScheduleKeyDeletion", "ScheduleKeyDeletion", "Retain", "DisableKey")[number % 4]
    return spec


def grant(name: str) -> dict[str, Any]:
    return {"name": name, "granteePrincipal": f"arn:aws:iam::123456789012:role/{name}", "operations": ["Encrypt", "DescribeKey"]}


@dataclass
class Crowd:
    """living: the spec by name. leaving: those whose deletion was asked for. ended: by uid, the name and the policy of each deleted object."""

    user: User
    random: Random
    living: dict[str, Spec] = field(default_factory=dict)
    leaving: set[str] = field(default_factory=set)
    ended: dict[str, tuple[str, str]] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)

    def create(self, number: int) -> None:
        """The object of this number."""
        name, spec = f"k-{number}", draw(number, self.random)
        body = {"apiVersion": API_VERSION, "kind": "KMSKey", "metadata": {"name": name}, "spec": spec}
        try:
            self.user.insist(lambda api: api.post(PATH, body))
        except RefusedError as error:
            if ": 409 " not in str(error):  # made by a request whose answer got lost
                raise
        self.living[name] = spec
        self._count("created")

    def act(self) -> None:
        """One thing that a user does."""
        name = self.random.choice(sorted([*self.living, *self.leaving]))
        if name in self.leaving:
            self._make_again(name)
        elif self.random.random() < 0.8:
            self.change(name)
        else:
            self._delete(name)

    def change(self, name: str) -> None:
        spec = draw(number_of(name), self.random)
        self.user.insist(lambda api: api.patch(f"{PATH}/{name}", [{"op": "replace", "path": "/spec", "value": spec}]))
        self.living[name] = spec
        self._count("changed")

    def objects(self) -> dict[str, Any]:
        """Every object by its name, as the server has it."""
        return {obj["metadata"]["name"]: obj for obj in self.user.insist(lambda api: api.get(PATH))["items"]}

    def _delete(self, name: str) -> None:
        obj = self.user.insist(lambda api: api.get(f"{PATH}/{name}"))
        self.ended[obj["metadata"]["uid"]] = (name, self.living.pop(name)["deletionPolicy"])
        self.leaving.add(name)
        self.user.insist(lambda api: _gone(api, name))
        self._count("deleted")

    def _make_again(self, name: str) -> None:
        if name in self.objects():
            return
        self.leaving.discard(name)
        self.create(number_of(name))
        self._count("made again")

    def _count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1


def number_of(name: str) -> int:
    return int(name.removeprefix("k-"))


def _gone(api: Api, name: str) -> None:
    try:
        api.delete(f"{PATH}/{name}")
    except RefusedError as error:
        if ": 404 " not in str(error):
            raise


def live(crowd: Crowd, seconds: float) -> None:
    """Act for so long, a few times a second."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        crowd.act()
        time.sleep(crowd.random.uniform(0.1, 0.6))
