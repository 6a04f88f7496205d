"""How many dependents of one kind have made something through a provider: it has to stay until they have undone that.

A tie is an object with our finalizer and a provider in its status. Counted as objects change, so that nobody has to look at all of them.
"""

from collections import Counter

import msgspec

from controller.objects import KubeObject, Ref


class _Status(msgspec.Struct, gc=False):
    provider: str | None = None


_read_status = msgspec.json.Decoder(_Status).decode


class Ties:
    """Those of one kind, by provider."""

    def __init__(self, finalizer: str) -> None:
        self._finalizer = finalizer
        self._counts: Counter[Ref] = Counter()

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> set[Ref]:
        """What the informer tells; returns the providers that have another number now."""
        before, after = self._tied(old), self._tied(new)
        if before == after:
            return set()
        self._counts.subtract([before] if before else [])
        self._counts.update([after] if after else [])
        self._counts = +self._counts
        return {provider for provider in (before, after) if provider}

    def of(self, provider: Ref) -> int:
        """How many there are."""
        return self._counts[provider]

    def _tied(self, obj: KubeObject | None) -> Ref | None:
        """A status that is no status, which only a hand edit can make, ties to nothing."""
        if obj is None or self._finalizer not in obj.finalizers:
            return None
        try:
            told = _read_status(obj.status).provider
        except msgspec.ValidationError:
            return None
        return Ref(*told.split("/", 1)) if told and "/" in told else None
