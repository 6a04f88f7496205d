"""Which test holds which promise: the faults of the catalogue below, and the tests that say so of themselves.

A test says so by a marker:   @pytest.mark.holds("F12", "F45")        on a test, or in the pytestmark of a whole file.
docs/reliability.md is written from both:   python -m tests.promises   (make promises); a test fails when it is older than the tests.

The tests are read, not run and not imported: a marker is found in the text of the file.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
DOCUMENT = REPOSITORY / "docs" / "reliability.md"

# What goes wrong, and what must come of it.
FAULTS: dict[str, tuple[str, str]] = {
    "F1": ("a crash before the finalizer is stored", "nothing was written to AWS; one key in the end"),
    "F2": ("a crash after the finalizer, before the attempt is written down", "one key"),
    "F3": ("a crash after the attempt is written down, before CreateKey is sent", "searched for, then made once"),
    "F4": ("a crash after CreateKey was done, before its answer", "found by its tags, not made again"),
    "F5": ("a crash after the answer of CreateKey, before it is stored", "found by its tags, not made again"),
    "F6": ("the answer of CreateKey cannot be stored: 409, 413, 429, 500", "kept in memory, stored first of all once that works"),
    "F7": ("a crash between any two of the writes that follow", "only what is missing is done"),
    "F8": ("403 on each operation for a long time", "one key; AccessDenied names the operation; tried rarely"),
    "F9": ("a crash after ScheduleKeyDeletion, before the finalizer goes", "the object goes, and nothing is scheduled again"),
    "F10": ("the answer to the release of the object is lost", "it is over, without another call"),
    "F11": ("CreateKey under way at SIGTERM, at a lost lease, at a deadline", "finished and stored, or left written down for the next leader"),
    "F12": ("kill -9 again and again while keys are made", "one key for each object"),
    "F13": ("the API server restarts", "watches go on where they were"),
    "F14": ("the API server is away for half an hour", "no leader, no write to AWS; it goes on by itself"),
    "F15": ("a compaction: 410 on a watch, on the second page of a list", "listed again, and nothing is lost"),
    "F16": ("a watch that is half open for ten minutes", "noticed, and opened again"),
    "F17": ("all connections are reset each minute", "no list, no growing pause"),
    "F18": ("an API server that takes 5 s, or 30 s", "the lease holds or is lost in order; nothing twice"),
    "F19": ("409 on half of all patches", "nothing is written to AWS twice for it"),
    "F20": ("429 with and without Retry-After", "honoured"),
    "F21": ("401 once, 401 for long, 403 after a change of RBAC", "the token is read again; no exit; it goes on when it may"),
    "F22": ("an API server, or a cache, that is a minute behind", "old versions are refused; no second key"),
    "F23": ("a watch that repeats and mixes up events", "the state is right in the end"),
    "F24": ("a storm of changes of one object", "one pass at a time, a few writes to AWS; the last change wins"),
    "F25": ("hundreds of objects at once", "made at the pace of the quotas; new ones are seen"),
    "F26": ("hundreds of objects that need nothing", "no write to AWS, none to Kubernetes"),
    "F27": ("AWS throttles nine of ten calls for ten minutes", "all is made once; a ready key stays ready"),
    "F28": ("AWS fails with 5xx: reads, repeatable writes, CreateKey", "tried again; CreateKey's result is unknown, and searched for"),
    "F29": ("the answer of any call is lost after it was done", "seen at the next look; no harm"),
    "F30": ("an answer that is no answer: cut, garbage, a proxy's page", "as a lost one"),
    "F31": ("a new key that is not shown for five minutes, or now and then", "not made again, and no alarm"),
    "F32": ("reads that are five minutes late", "a write is repeated a few times, not at each look"),
    "F33": ("a tag index that is ten minutes late", "every key is looked at instead; no second key"),
    "F34": ("lists in pages, with a marker that expires", "read anew; a part is never taken for the whole"),
    "F35": ("credentials expire between two calls", "renewed, and the next pass does what is missing"),
    "F36": ("an identity that cannot be had: token file, STS", "the provider says so; keys are unknown, not lost"),
    "F37": ("a Secret that changes: good, bad, gone, good again", "noticed within a minute; the old connection is closed"),
    "F38": ("a provider that leads to another account or region", "nothing is written there; ImmutableFieldConflict"),
    "F39": ("a role that leads to another account than the pinned one", "nothing is written; AccountMismatch"),
    "F40": ("a provider that is gone before its keys", "the object waits and says so; Retain goes without it"),
    "F41": ("two leaders for up to a minute", "never two keys, no write outside the lease"),
    "F42": ("a lease that is deleted, edited, taken by hand", "the leader ends; one leads afterwards"),
    "F43": ("a leader that stands still for 40 s", "it ends without a write when it wakes"),
    "F44": ("a clock that is wrong, or jumps", "never two keys; lease and queue do not mind; AWS's refusal is told as what it is"),
    "F45": ("SIGTERM under load, at the start, a second one", "in order; nothing begins; the second ends it at once"),
    "F46": ("a drain of both replicas", "one at a time"),
    "F47": ("no disk to write to", "none is needed"),
    "F48": ("no DNS, IPv6, proxies in the environment", "bounded errors; the API server is not asked through a proxy"),
    "F49": ("a finalizer that is taken away by hand", "the key stays; it is reported as an orphan"),
    "F50": ("an object that is deleted while its key is made", "the key is known, and goes its way"),
    "F51": ("an object that is deleted while its creation is unknown", "it stays until the search is over"),
    "F52": ("an object that is made again while, and after, the old one goes", "the same key, never a second one"),
    "F53": ("an object restored from a backup", "its key is taken back only where the owner tags say so"),
    "F54": ("a status that was cleared, or names another key", "searched for; never a write to a foreign key"),
    "F55": ("a namespace that is deleted with its keys; events are refused", "nothing needs to be created in it"),
    "F56": ("a CRD that is removed, RBAC that is removed", "waited for; nothing is deleted"),
    "F57": ("objects that are all deleted at once", "each goes as its policy says"),
    "F58": ("a deletion that somebody scheduled outside", "cancelled once, with a warning; or told"),
    "F59": ("a key that is gone for good", "KeyLost; never replaced by itself"),
    "F60": ("a key that was disabled outside", "enabled once if the spec says so"),
    "F61": ("a key in a state that refuses writes", "waited for"),
    "F62": ("a policy that locks the operator out", "told with the way out; asked for rarely"),
    "F63": ("a policy that would lock out", "not sent, or refused; the old one stays"),
    "F64": ("a principal in a policy that was deleted", "told; one write at most"),
    "F65": ("tags, aliases, grants, description, rotation changed outside", "what is declared is repaired, all else is left alone"),
    "F66": ("an alias that another key has", "a conflict; never taken"),
    "F67": ("an older and a newer version beside each other", "unknown fields stay as they are"),
    "F68": ("two clusters in one account", "neither touches the other's keys"),
    "F69": ("one object of which every pass fails", "no other one is delayed"),
    "F70": ("metrics that are scraped often, or slowly", "the loop goes on"),
}
# What must be so at any time, whatever goes wrong; checked after every step of the random runs where it can be.
INVARIANTS: dict[str, str] = {
    "I1": "there is at most one key with the owner tags of an object, but for those that are lost and were named so by the user",
    "I2": "CreateKey is called only when finalizer and attempt are stored",
    "I3": "nothing is created for an object that was not read live, in exactly that version",
    "I4": "a deletion is scheduled only for an object that is being deleted with such a policy, for as long as it says",
    "I5": "a key is enabled, or its deletion cancelled, only where a spec asks for it",
    "I6": "nothing is written to a key whose owner tags are not ours",
    "I7": "no write begins without the lease, or with too little of it left",
    "I8": "one object is never in two passes of a process",
    "I9": "KMS's safety check against lock-outs is bypassed only by the spec's and the operator's word",
    "I10": "the spec is never written",
    "I11": "a key id, once known, is never replaced by another one, unless the key is lost and the user has named it so",
    "I12": "what was observed is never newer than what there is",
    "I13": "an object that has, or may have, a key has the finalizer",
    "I14": "credentials belong to the account that the key is in",
    "I15": "no credential is told anywhere",
    "I16": "at rest, every key is as its object declares",
    "I17": "at rest, nothing is written",
    "I18": "a wrong spec has a reason, and it stays the same; the time of a condition changes with its status alone, as its teller has seen it",
    "I19": "an object goes only when its key is dealt with as its policy says",
    "I20": "a disturbed run ends like the undisturbed one, with the same writes; each that cannot be repeated was written ahead by its sender",
    "I21": "once nothing goes wrong any more, all comes to rest within a bounded time",
    "I22": "queues, stores, caches and metrics are as large afterwards as they were before",
    "I23": "what fails for ever is tried at most 16 times in its first hour, and 12 times in each after that",
    "I24": "no key is left behind unseen",
    "I25": "nothing is ever written to a key that is only observed, and nothing keeps its object",
}
NUMBERS = {**FAULTS, **INVARIANTS}

Held = dict[str, list[tuple[str, str]]]  # number -> (path of the test, name of the test)


def held(tests: Path = REPOSITORY / "tests") -> Held:
    """Which tests say that they hold which promise; every number once, in the catalogue's order."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted(tests.rglob("test_*.py")):
        for number, name in _marked(ast.parse(path.read_text())):
            found[number].append((str(path.relative_to(tests.parent)), name))
    return {number: found[number] for number in NUMBERS} | {number: found[number] for number in found.keys() - NUMBERS.keys()}


def document(tests: Held) -> str:
    """docs/reliability.md."""
    return "\n".join([*_HEAD, *_fault_rows(tests), "", *_INVARIANTS_HEAD, *_invariant_rows(tests), ""])


_HEAD = (
    "# What may go wrong, and which test holds what is promised then",
    "",
    "Written by `make promises` from the tests: change those, not this file.",
    "",
    "Tests in tests/simulation run the whole controller in virtual time against models of the API server and of AWS; those in tests/cluster",
    "run the operator as a process against a real kube-apiserver and an AWS emulator; the others are about one module.",
    "`make soak` disturbs every scenario at every point, and lives ten thousand random lives; `make pairs` takes every pair of points.",
    "`make storm` lets nearly all of it happen at once to two processes, and then looks at each object and each key.",
    "",
    "## Faults",
    "",
    "| | What goes wrong | What must come of it | Held by |",
    "|---|---|---|---|",
)
_INVARIANTS_HEAD = (
    "## Invariants",
    "",
    "What must be so at any time. Those without a test of their own are checked after every step of the random runs.",
    "",
    "| | What must be so | Held by |",
    "|---|---|---|",
)


def _fault_rows(tests: Held) -> Iterator[str]:
    for number, (wrong, then) in FAULTS.items():
        yield f"| {number} | {wrong} | {then} | {_links(tests[number])} |"


def _invariant_rows(tests: Held) -> Iterator[str]:
    for number, promise in INVARIANTS.items():
        yield f"| {number} | {promise} | {_links(tests[number])} |"


def _links(tests: list[tuple[str, str]]) -> str:
    words = [f"[{name.removeprefix('test_').replace('_', ' ')}](../{path})" for path, name in tests]
    return "; ".join(words) or "**no test yet**"


def _marked(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Number and test, for each test function of a file."""
    everywhere = [number for node in module.body if _is_pytestmark(node) for number in _numbers(node)]
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for number in [*everywhere, *(number for decorator in node.decorator_list for number in _numbers(decorator))]:
                yield number, node.name


def _is_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == "pytestmark" for one in node.targets)


def _numbers(node: ast.AST) -> Iterator[str]:
    """What the calls of pytest.mark.holds in there say."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "holds":
            yield from (str(one.value) for one in call.args if isinstance(one, ast.Constant))


def unknown(tests: Mapping[str, object]) -> list[str]:
    """Numbers that tests name and the catalogue does not know."""
    return sorted(tests.keys() - NUMBERS.keys(), key=lambda number: re.sub(r"\d+", lambda digits: digits[0].zfill(4), number))


if __name__ == "__main__":
    DOCUMENT.write_text(document(held()))
