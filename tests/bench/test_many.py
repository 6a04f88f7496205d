"""What the cold start's figures are read from."""

import json

from reconcilers.key_status import KMSKeyStatus
from tests.bench.many import LAG, lags
from tests.bench.meters import parse
from tests.bench.objects import made_status


def test_the_written_status_is_one_that_the_operator_writes() -> None:
    status = KMSKeyStatus.model_validate_json(json.dumps(made_status(7, "uid")))
    assert (status.key_id, status.region) == ("00000000-0000-4000-8000-000000000007", "eu-west-3")
    assert {condition.type for condition in status.conditions} == {"Ready", "Synced", "Reconciling"}


def test_the_worst_lag_is_that_of_the_last_bucket_with_a_tick() -> None:
    counts = {"0.001": 3, "0.005": 3, "0.01": 9, "0.025": 9, "+Inf": 9}
    page = "# TYPE event_loop_lag_seconds histogram\n"
    page += "".join(f'{LAG}{{le="{bound}"}} {count}\n' for bound, count in counts.items())
    assert lags(parse(page)) == [0.001, 0.01]
