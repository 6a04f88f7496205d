"""`make storm`: the operator as processes under everything that can go wrong at once, on a real API server and the strict AWS.

    python -m tests.storm [--objects 300] [--minutes 3] [--seed N] [--no-quotas] [--keep FOLDER]

1. Two operators make the objects' keys, a user changes, deletes and makes objects again, and the weather rages (weather.py).
2. Everything works again. Within --patience seconds all has to be as declared: one key for each object, equal to its spec field by field; the
   keys of deleted objects as their policies say; no key that nobody has (verdict.py).
3. Both operators are well, one more change is carried out within seconds, and then nothing more is written.

At the end stand the counts and what was found. The exit code is 1 if anything was found. --keep copies the operators' logs there.
"""

import argparse
import random
import shutil
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from aws.channels import READ_OPERATIONS
from tests.cluster.processes import ProcessError
from tests.cluster.tenant import is_settled, provider
from tests.storm.crowd import Crowd, live
from tests.storm.stage import Stage, stage
from tests.storm.verdict import judge
from tests.storm.weather import Weather

SOON_SECONDS = 15.0  # for one change, in fair weather
STILL_SECONDS = 10.0


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Everything that can go wrong at once.")
    parser.add_argument("--objects", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--patience", type=float, default=400.0, help="seconds from fair weather to rest")
    parser.add_argument("--no-quotas", action="store_true", help="an AWS without request quotas")
    parser.add_argument("--keep", type=Path, help="a folder for the operators' logs")
    options = parser.parse_args()
    _say(f"seed {options.seed}, {options.objects} objects, {options.minutes:g} minutes")
    with stage(quotas=not options.no_quotas) as ground:
        weather = Weather(ground, random.Random(options.seed))  # noqa: S311 - chooses mishaps, guards nothing
        crowd = Crowd(ground.user(), random.Random(options.seed + 1))  # noqa: S311 - as above
        try:
            problems = _storm(ground, weather, crowd, options.objects, options.minutes * 60, options.patience)
        finally:
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                for log in ground.cluster.folder.glob("*.log"):
                    shutil.copy(log, options.keep)
                (options.keep / "weather.log").write_text("\n".join(weather.log))
        _tell(ground, weather, crowd)
    for problem in problems[:40]:
        _say(f"PROBLEM {problem}")
    _say(f"\nseed {options.seed}: {len(problems)} problems")
    return 1 if problems else 0


def _storm(ground: Stage, weather: Weather, crowd: Crowd, objects: int, seconds: float, patience: float) -> list[str]:
    ground.cluster.api.post("/apis/aws-infra-operator.runner.codes/v1alpha1/namespaces/default/awsproviders", provider("main"))
    for number in range(objects):
        crowd.create(number)
    user = threading.Thread(target=live, args=[crowd, seconds])
    user.start()
    weather.rage(seconds)
    user.join()
    weather.calm()
    _say("fair weather")
    problems = _rest(ground, crowd, patience)
    return problems or _health(ground, crowd)


def _rest(ground: Stage, crowd: Crowd, patience: float) -> list[str]:
    """What is still not so when the patience is over."""
    began, told = time.monotonic(), 0.0
    while True:
        for replica in ground.replicas:
            replica.tend(1.0)
        objects = crowd.objects()
        made = ground.strict("GET", "keys?made=1")["keys"]
        problems = judge(crowd.living, crowd.ended, objects, ground.every_key(), made)
        waited = time.monotonic() - began
        if not problems or waited > patience:
            _say(f"at rest after {waited:.0f} s" if not problems else f"no rest after {waited:.0f} s")
            return problems
        if waited - told > 20:
            told = waited
            _say(f"{waited:5.0f} s: {len(problems)} things are not yet so, such as: {problems[0]}")
        time.sleep(1)


def _health(ground: Stage, crowd: Crowd) -> list[str]:
    problems = [f"operator {replica.name} is not well" for replica in ground.replicas if not replica.is_well()]
    name = min(crowd.living)
    crowd.change(name)
    began = time.monotonic()
    while not is_settled(crowd.objects()[name]):
        if time.monotonic() - began > SOON_SECONDS:
            return [*problems, f"the change of {name} was not carried out within {SOON_SECONDS:.0f} s"]
        time.sleep(0.1)
    _say(f"one more change took {time.monotonic() - began:.1f} s")
    ground.strict("DELETE", "calls")
    time.sleep(STILL_SECONDS)
    writes = Counter(call["operation"] for call in ground.strict("GET", "calls") if call["operation"] not in READ_OPERATIONS)
    return problems + [f"at rest there were still writes: {dict(writes)}"] * bool(writes)


def _tell(ground: Stage, weather: Weather, crowd: Crowd) -> None:
    _table("weather", weather.had)
    _table("user", crowd.done)
    for replica in ground.replicas:
        try:
            code = replica.operator.process.terminate(30)
        except ProcessError:
            code = -1
            _say(f"operator {replica.name} did not end at SIGTERM")
        _table(f"ends of operator {replica.name}", {**{str(end): count for end, count in replica.ends.items()}, f"{code} at last": 1})


def _table(name: str, counts: dict[str, int]) -> None:
    _say(f"\n{name}")
    for what, count in sorted(counts.items()):
        _say(f"{count:>8,}  {what}")


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
