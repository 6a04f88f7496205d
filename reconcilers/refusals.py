"""Specs that cannot be right, found before AWS is asked: one rule for each, the first that applies is told.

These are what admission cannot judge: it cannot parse JSON, does not know the provider's tags and account, nor the operator's flags.
"""

from collections.abc import Callable, Iterable

from reconcilers import policies
from reconcilers.actions import Action, PutKeyPolicy
from reconcilers.adoption import misnamed
from reconcilers.fields import MAX_TAGS
from reconcilers.lockout import denies_us, leaves_us_out
from reconcilers.policy_findings import openings
from reconcilers.reasons import Reason
from reconcilers.states import Account, KeyObject, Operator, Problem, Wanted

_LOCKOUT = Problem(
    Reason.POLICY_LOCKOUT,
    "Under spec.keyPolicy the operator could not change the key policy any more, nor could it be put right. AWS was not asked. Let "
    "arn:aws:iam::${AWS_ACCOUNT_ID}:root or the provider's identity do kms:*, or at least kms:PutKeyPolicy, and deny it to neither.",
)
MAX_POLICY_BYTES = 131_072  # KMS's service model

Rule = Callable[[KeyObject, Account, Wanted, Operator], Problem | None]


def refusal(key: KeyObject, account: Account, wanted: Wanted, operator: Operator) -> Problem | None:
    """Why nothing may be done for this object now; None when nothing speaks against it."""
    return next((problem for rule in _RULES if (problem := rule(key, account, wanted, operator))), None)


def put_refusal(wanted: Wanted, due: Iterable[Action]) -> Problem | None:
    """Why these actions may not be done: the policy of a key that lives is not given up for one under which we can change nothing."""
    sent = any(isinstance(action, PutKeyPolicy) for action in due)
    if not sent or wanted.policy is None or wanted.bypass_policy_lockout_safety_check:
        return None
    return _LOCKOUT if leaves_us_out(wanted.policy, wanted.account_id, wanted.caller_arn) else None


def leads_elsewhere(key: KeyObject, account: Account) -> bool:
    """Whether the key lives in another account or region than its provider leads to. A key of an unknown place may live here."""
    made_in = (key.status.account_id or account.account_id, key.status.region or account.region)
    may_have_one = key.status.key_id is not None or key.status.creation_attempt is not None
    return may_have_one and made_in != (account.account_id, account.region)


def elsewhere(key: KeyObject, account: Account) -> str:
    """In words."""
    return (
        f"The key was made in account {key.status.account_id}, region {key.status.region}, but the provider now leads to account "
        f"{account.account_id}, region {account.region}."
    )


def _another_account(key: KeyObject, account: Account, _wanted: Wanted, _operator: Operator) -> Problem | None:
    if not leads_elsewhere(key, account):
        return None
    return Problem(
        Reason.IMMUTABLE_FIELD_CONFLICT,
        f"{elsewhere(key, account)} Nothing was changed in either: point the provider back, or make a new KMSKey.",
    )


def _bad_policy(_key: KeyObject, _account: Account, wanted: Wanted, _operator: Operator) -> Problem | None:
    try:
        if wanted.policy is not None:
            policies.parse(wanted.policy)
    except policies.PolicyError as error:
        return Problem(Reason.INVALID_POLICY, f"spec.keyPolicy is not a key policy: {error}. AWS was not asked: correct it.")
    return None


def _lockout(_key: KeyObject, account: Account, wanted: Wanted, _operator: Operator) -> Problem | None:
    if wanted.policy is None or wanted.bypass_policy_lockout_safety_check:
        return None
    return _LOCKOUT if denies_us(wanted.policy, account.caller_arn) else None


def _too_large(_key: KeyObject, _account: Account, wanted: Wanted, _operator: Operator) -> Problem | None:
    size = len(wanted.policy.encode(errors="surrogatepass")) if wanted.policy else 0
    if size <= MAX_POLICY_BYTES:
        return None
    return Problem(
        Reason.POLICY_TOO_LARGE,
        f"spec.keyPolicy has {size} bytes; KMS takes {MAX_POLICY_BYTES} at most. AWS was not asked: make it shorter, or use grants.",
    )


def _too_open(_key: KeyObject, account: Account, wanted: Wanted, operator: Operator) -> Problem | None:
    found = openings(wanted.policy, account.account_id) if wanted.policy is not None and operator.refuse_open_policies else ()
    if not found:
        return None
    return Problem(
        Reason.POLICY_TOO_OPEN,
        f"spec.keyPolicy: {'; '.join(found)}. This operator was started with --refuse-open-policies, so AWS was not asked: narrow it.",
    )


def _bypass(_key: KeyObject, _account: Account, wanted: Wanted, operator: Operator) -> Problem | None:
    if not wanted.bypass_policy_lockout_safety_check or operator.allow_policy_lockout_bypass:
        return None
    return Problem(
        Reason.BYPASS_NOT_ALLOWED,
        "spec.bypassPolicyLockoutSafetyCheck is true, which this operator does not allow: remove it, or ask for "
        "--allow-policy-lockout-bypass.",
    )


def _too_many_tags(_key: KeyObject, _account: Account, wanted: Wanted, _operator: Operator) -> Problem | None:
    if len(wanted.tags) <= MAX_TAGS:
        return None
    return Problem(
        Reason.TOO_MANY_TAGS,
        f"The key would have {len(wanted.tags)} tags with the provider's defaultTags and three owner tags; KMS takes {MAX_TAGS}: "
        "remove some from spec.tags or from the provider.",
    )


def _replica_at_home(_key: KeyObject, account: Account, wanted: Wanted, _operator: Operator) -> Problem | None:
    if account.region not in wanted.replicas:
        return None
    return Problem(
        Reason.INVALID_SPEC,
        f"spec.replicas names {account.region}, the provider's own region, which holds the key itself: remove it from the list.",
    )


def _bad_replica(key: KeyObject, account: Account, wanted: Wanted, operator: Operator) -> Problem | None:
    """What is judged of the key itself is judged of its replicas, which have a policy and tags of their own."""
    for region, replica in sorted(wanted.replicas.items()):
        for rule in (_too_large, _bad_policy, _lockout, _too_open, _too_many_tags):
            problem = rule(key, account, replica, operator)
            if problem is not None:
                return Problem(problem.reason, f"For the replica in {region}: {problem.message}")
    return None


_RULES: tuple[Rule, ...] = (
    *(_another_account, misnamed, _bypass, _too_large, _bad_policy, _lockout, _too_open, _too_many_tags),
    *(_replica_at_home, _bad_replica),
)
