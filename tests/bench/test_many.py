"""What the cold start's figures are read from."""

import json

from reconcilers.key_status import KMSKeyStatus
from tests.bench.lag import LAG, lag
from tests.bench.meters import parse
from tests.bench.objects import made_status


def test_the_written_status_is_one_that_the_operator_writes() -> None:
    status = KMSKeyStatus.model_validate_json(json.dumps(made_status(7, "uid")))
    assert (status.key_id, status.region) == ("00000000-0000-4000-8000-000000000007", "eu-west-3")
    assert {condition.type for condition in status.conditions} == {"Ready", "Synced", "Reconciling"}


def test_a_lag_is_the_bound_of_the_bucket_that_holds_that_share_of_the_ticks() -> None:
    counts = {"0.001": 3, "0.005": 3, "0.01": 9, "0.025": 10, "+Inf": 10}
    page = "# TYPE event_loop_lag_seconds histogram\n"
    page += "".join(f'{LAG}{{le="{bound}"}} {count}\n' for bound, count in counts.items())
    samples = parse(page)
    assert (lag(samples, 0.3), lag(samples, 0.9), lag(samples, 0.99), lag(samples, 1.0)) == (0.001, 0.01, 0.025, 0.025)
