"""How fast one operation is called: a token bucket that lets no more calls go out in a second than it may.

Rules:
1. `rate` tokens flow in every second. The bucket holds one second's worth, at least one call: who comes after a pause need not wait.
2. Within a second, a margin included, no more than `most` calls go out. That is seen to twice: permits are dealt out at that pace, and a call
   that was held up on its way, or overtakes one that was, waits at the gate right before it is sent until the second has room for it.
3. Whoever counts tokens as we do, at the other end of a network that delays one call more than the next, still has some left: after a burst
   permits are spread evenly, and not dealt out in bursts of a second each, and the gate leaves one of the other end's tokens untouched.
   A permit that is dealt out late, because the process was busy, counts as of when it was due: what comes after it is not late for that.
4. The more urgent is served first, and among equals who came first. Each AGING_SECONDS of waiting count as one degree of urgency, so that
   nobody waits for ever behind others who keep coming.
5. Who is on an errand (errands.py) waits in place for what flows in within BRIEF_SECONDS, or AHEAD_SECONDS where others need the place. The
   others are away, and as many are woken as will have their tokens within AHEAD_SECONDS; who was woken waits in place. A token goes to the
   first who is there: who was woken and has not come yet gets the next one.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Sequence
from typing import Final

from aws.errands import Errand, QuotaWaitError
from aws.gates import ROUNDING, Gate, until_room
from aws.lines import Line, Turn
from reconcilers.urgency import Urgency

# A rate halved once is whole again after this time, and the floor after twice of it: AWS's own buckets refill within seconds.
RECOVERY_SECONDS = 30.0
# Below this share of its rate a bucket would hardly notice that the storm is over.
FLOOR = 1 / 16
# AWS counts by the second: all refusals within one are the same piece of news.
ONE_NEWS_SECONDS = 1.0
# A resync that has waited for three minutes goes before the newest change of a user. Waiting holds no worker, so that it may last.
AGING_SECONDS = 60.0
# Permits are dealt out a little slower than the gate would let calls through, so that none waits there for long. Each hundredth costs a
# hundredth of the quota.
WINDOW_SECONDS = 1.015
# Longer than this nobody waits in place: to begin a pass anew costs four reads, some 100 ms.
BRIEF_SECONDS = 0.5
# A pass needs some 10 ms until it asks, and has to get a worker before: who is woken by then does not let a token wait.
AHEAD_SECONDS = 0.1
# Others were more urgent, or AWS made us slow: away again.
PATIENCE_SECONDS = 1.0


class Permit:
    """To make one call. waited: for how many seconds. weight: as how many calls AWS counts it. due: since when it could be made."""

    __slots__ = ("_bucket", "_due", "_is_out", "_weight", "waited")

    def __init__(self, bucket: "Bucket | None", weight: int, waited: float, due: float) -> None:
        self.waited = waited
        self._bucket = bucket
        self._weight = weight
        self._due = due
        self._is_out = bucket is not None

    def delay(self) -> float:
        """For how many seconds the call may not go out yet."""
        return 0.0 if self._bucket is None else self._bucket.delay(self._weight)

    def sent(self) -> None:
        """The call goes out now."""
        if self._bucket is not None:
            self._bucket.sent(self._weight)
            self._is_out = False

    def close(self) -> None:
        """The call has ended, or is not made."""
        if self._bucket is not None and self._is_out:
            self._bucket.give_back(self._weight, self._due)
            self._is_out = False


FREE: Final = Permit(None, 0, 0.0, 0.0)  # for what has no quota


async def go_out(permits: Sequence[Permit]) -> None:
    """Wait at the gate until the call that has these permits may be sent; it is, when this returns."""
    while (delay := max((permit.delay() for permit in permits), default=0.0)) > 0:  # noqa: ASYNC110 - how long is known
        await asyncio.sleep(delay)
    for permit in permits:
        permit.sent()


class Bucket:
    """rate: calls a second; most: how many of them a second may see. operation: whose it is, for those who are told to wait."""

    def __init__(self, rate: float, most: int, operation: str = "") -> None:
        self._operation = operation
        self._loop = asyncio.get_running_loop()
        self._most = most
        self._full_rate = self._rate = min(rate, most / WINDOW_SECONDS)
        self._size = self._tokens = max(min(rate, most), 1.0)
        self._seen = self._loop.time()
        self._slow_again = self._seen
        self._dealt: deque[float] = deque()  # for when permits were dealt out, within the last second
        self._gate = Gate(most)
        self._present, self._away, self._woken = Line(), Line(), Line()
        self._ties = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None

    def tune(self, rate: float, most: int) -> None:
        """Another full rate; a throttled bucket stays throttled by as much."""
        self._refill()
        full = min(rate, most / WINDOW_SECONDS)
        self._rate *= full / self._full_rate
        self._full_rate, self._size, self._most = full, max(min(rate, most), 1.0), most
        self._gate.most = most
        self._tokens = min(self._size, self._tokens)
        self._serve()

    async def take(self, urgency: Urgency, weight: int = 1, errand: Errand | None = None) -> Permit:
        """Wait until it is our turn. Raises QuotaWaitError where that would be long, for who is on an errand."""
        turn, was_woken = self._come(urgency, weight, errand)
        turn.served = served = self._loop.create_future()
        self._present.join(turn)
        self._serve()
        patience = None
        if errand is not None and not served.done():
            if not was_woken and self._is_long(turn, AHEAD_SECONDS if errand.is_in_the_way() else BRIEF_SECONDS):
                raise self._step_back(turn, errand)
            patience = self._loop.call_later(PATIENCE_SECONDS, _lose_patience, served)
        try:
            was_served = await served
        except asyncio.CancelledError:
            self._give_up(turn, served)
            raise
        finally:
            if patience is not None:
                patience.cancel()
        if not was_served and errand is not None:
            raise self._step_back(turn, errand)
        return Permit(self, weight, self._loop.time() - turn.since, turn.due)

    def leave(self, turn: Turn) -> None:
        """Somebody who was away, or was woken, does not come any more."""
        self._away.leave(turn)
        self._woken.leave(turn)
        self._serve()

    def give_back(self, weight: int, due: float) -> None:
        """A permit that is not used."""
        for _ in range(self._dealt.count(due) and weight):
            self._dealt.remove(due)
        self._refill()
        self._tokens = min(self._size, self._tokens + weight)
        self._serve()

    def delay(self, weight: int) -> float:
        """For how many seconds the gate is closed for a call."""
        return self._gate.delay(weight)

    def sent(self, weight: int) -> None:
        """A call goes out."""
        self._gate.passes(weight)

    def slow_down(self) -> None:
        """AWS said that this was too fast."""
        self._refill()
        self._tokens = min(self._tokens, 0.0)
        if self._seen >= self._slow_again:
            self._rate = max(self._rate / 2, self._full_rate * FLOOR)
            self._slow_again = self._seen + ONE_NEWS_SECONDS

    def _come(self, urgency: Urgency, weight: int, errand: Errand | None) -> tuple[Turn, bool]:
        """The turn of somebody who is here now, and whether it was woken. Who was away has the place that it had, or a better one."""
        before = errand.back(self) if errand else None
        since = before.since if before else self._loop.time()
        rank = since + urgency * AGING_SECONDS
        if before is None:
            return Turn(rank, next(self._ties), since, weight), False
        was_woken = before in self._woken
        self._away.leave(before)
        self._woken.leave(before)
        return Turn(min(rank, before.rank), before.tie, since, weight), was_woken

    def _is_long(self, turn: Turn, seconds: float) -> bool:
        """Whether somebody who is here has to wait for more than what flows in by then."""
        first = self._away.first()
        if first is not None and first < turn:
            return True
        ahead = sum(other.weight for line in (self._present, self._woken) for other in line if other < turn)
        return ahead + 1 > self._within(seconds)

    def _expected(self) -> int:
        """How many tokens those will take who are here or were woken."""
        return sum(turn.weight for line in (self._present, self._woken) for turn in line)

    def _within(self, seconds: float) -> float:
        """How many tokens there will be by then."""
        return self._tokens + self._rate * seconds + ROUNDING

    def _step_back(self, turn: Turn, errand: Errand) -> QuotaWaitError:
        """From here to away; what to tell the pass."""
        self._present.leave(turn)
        turn.served, turn.wake = None, errand.wake
        self._away.join(turn)
        errand.stand(self, turn)
        self._serve()
        waits = len(self._present) + len(self._woken) + len(self._away)
        return QuotaWaitError(self._operation, waits / self._rate, self._loop.time() - turn.since)

    def _give_up(self, turn: Turn, served: asyncio.Future[bool]) -> None:
        self._present.leave(turn)
        if not served.cancelled() and served.result():  # it was our turn already
            self.give_back(turn.weight, turn.due)

    def _serve(self) -> None:
        """Those whose turn it is; the alarm calls again when it is the next one's."""
        self._refill()
        while (turn := self._present.first()) is not None:
            assert turn.served is not None  # who is here waits for it
            if not turn.served.done():
                if not self._may_go(turn.weight):
                    break
                self._deal(turn)
                turn.served.set_result(True)
            self._present.leave(turn)
        self._call_up()
        self._set_alarm()

    def _call_up(self) -> None:
        """Wake as many of those who are away as will have their tokens soon."""
        if not self._away:
            return
        if not self._present:
            self._may_go(1)  # for what it knows of the tokens
        expected = self._expected()
        while (turn := self._away.first()) is not None and expected + 1 <= self._within(AHEAD_SECONDS):
            expected += turn.weight
            self._away.leave(turn)
            self._woken.join(turn)
            assert turn.wake is not None  # who is away can be woken
            turn.wake()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        due = []
        if self._present and self._tokens < 1.0:
            due.append((1.0 - self._tokens) / self._rate)
        if self._away:
            due.append((self._expected() + 1 - self._within(AHEAD_SECONDS)) / self._rate)
        if due:
            self._alarm = self._loop.call_later(max(min(due), 1e-4), self._serve)

    def _deal(self, turn: Turn) -> None:
        """A permit, as of when it was due: when the token was there, and the one who waits for it."""
        last = self._dealt[-1] if self._dealt else turn.since
        turn.due = max(self._seen - max(self._tokens - 1.0, 0.0) / self._rate, turn.since, last)
        self._tokens -= turn.weight
        self._dealt.extend([turn.due] * turn.weight)

    def _may_go(self, weight: int) -> bool:
        """Whether a permit may be dealt out now. While the second is full the tokens are as many as will be there when it is not (rule 3).

        One that weighs more than a second holds goes alone. One token is enough for it; the others are owed.
        """
        wait = until_room(self._dealt, weight, self._most, self._seen, WINDOW_SECONDS)
        if wait > 0:
            self._tokens = min(self._tokens, 1.0 - wait * self._rate)
        return self._tokens >= 1.0 - ROUNDING

    def _refill(self) -> None:
        now = self._loop.time()
        elapsed, self._seen = now - self._seen, now
        self._tokens = min(self._size, self._tokens + elapsed * self._rate)
        self._rate = min(self._full_rate, self._rate + elapsed * self._full_rate / 2 / RECOVERY_SECONDS)


def _lose_patience(served: asyncio.Future[bool]) -> None:
    if not served.done():
        served.set_result(False)
