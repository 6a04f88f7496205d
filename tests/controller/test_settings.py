from datetime import timedelta
from typing import Any

import pytest

from controller.objects import Ref
from controller.settings import Address, Settings, SettingsError, parse_address, parse_namespaces, parse_ref

DEFAULTS: dict[str, Any] = {
    "metrics_bind_address": Address("", 8080),
    "metrics_auth": False,
    "metrics_tls_dir": None,
    "health_bind_address": Address("", 8081),
    "leader_elect": True,
    "lease_namespace": "infra-operator-system",
    "lease_duration": timedelta(seconds=15),
    "renew_deadline": timedelta(seconds=10),
    "retry_period": timedelta(seconds=2),
    "workers": 10,
    "watch_namespaces": (),
    "watch_selector": None,
    "controller_ring": "",
    "resync_interval": timedelta(minutes=10),
    "create_grace": timedelta(minutes=5),
    "quota_fraction": 0.5,
    "default_provider": None,
    "default_deletion_policy": "ScheduleKeyDeletion",
    "allow_custom_endpoints": False,
    "ambient_credentials_namespaces": ("*",),
    "allow_policy_lockout_bypass": False,
    "refuse_open_policies": False,
    "log_level": "info",
    "log_format": "json",
    "pod_name": "operator-7d9f",
}


def settings(**changes: Any) -> Settings:
    return Settings(**{**DEFAULTS, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lease_duration": timedelta(seconds=4), "renew_deadline": timedelta(seconds=3), "retry_period": timedelta(seconds=1)},
        {"workers": 1},
        {"workers": 1000},
        {"quota_fraction": 1.0},
        {"quota_fraction": 0.001},
        {"resync_interval": timedelta(seconds=1)},
        {"create_grace": timedelta(seconds=1)},
        {"watch_namespaces": ("a", "team-1")},
    ],
)
def test_what_makes_sense_is_accepted(changes: dict[str, Any]) -> None:
    made = settings(**changes)
    assert all(getattr(made, name) == value for name, value in changes.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"lease_duration": timedelta(seconds=10)},
            "--lease-duration (10s) must be longer than --renew-deadline (10s): raise the first or lower the second",
        ),
        (
            {"renew_deadline": timedelta(seconds=2.4)},
            "--renew-deadline (2.4s) must be longer than 1.2 times --retry-period (2s): raise the first or lower the second",
        ),
        ({"retry_period": timedelta()}, "--retry-period must be longer than 0: raise it"),
        (
            {"lease_duration": timedelta(seconds=15.5)},
            "--lease-duration (15.5s) must be whole seconds, because a Lease counts in them: round it",
        ),
        ({"workers": 0}, "--workers (0) must be from 1 to 1000"),
        ({"workers": 1001}, "--workers (1001) must be from 1 to 1000"),
        ({"resync_interval": timedelta()}, "--resync-interval (0s) must be at least 1s: raise it"),
        ({"create_grace": timedelta(milliseconds=900)}, "--create-grace (0.9s) must be at least 1s: raise it"),
        ({"quota_fraction": 0.0}, "--quota-fraction (0.0) must be above 0 and at most 1: 0.5 uses half of AWS's quota"),
        ({"quota_fraction": 1.1}, "--quota-fraction (1.1) must be above 0 and at most 1: 0.5 uses half of AWS's quota"),
        ({"quota_fraction": float("nan")}, "--quota-fraction (nan) must be above 0 and at most 1: 0.5 uses half of AWS's quota"),
        ({"lease_namespace": "Team A"}, "--lease-namespace ('Team A') is not the name of a namespace"),
        ({"watch_namespaces": ("a", "b/c")}, "--watch-namespaces: 'b/c' is not the name of a namespace"),
        ({"watch_namespaces": ("n" * 64,)}, f"--watch-namespaces: '{'n' * 64}' is not the name of a namespace"),
    ],
)
def test_what_does_not_is_refused_with_what_to_change(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        settings(**changes)
    assert str(refusal.value) == message


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        settings(workers=0, quota_fraction=2.0, lease_duration=timedelta(seconds=1))
    assert len(str(refusal.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":8080", Address("", 8080)),
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("localhost:65535", Address("localhost", 65535)),
        ("[::1]:8080", Address("::1", 8080)),
        ("[::]:8080", Address("::", 8080)),
        ("0", None),
    ],
)
def test_an_address_is_read(text: str, expected: Address | None) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["", "8080", ":", "localhost", ":65536", ":-1", ":http", ":8080 ", ":\u0661", ":" + "9" * 5000])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an address: write :8080, 127\.0\.0\.1:8080, or 0 to switch it off"):
        parse_address(text)


def test_an_ipv6_address_needs_its_brackets() -> None:
    with pytest.raises(ValueError, match=r"'::1:8080' is not an address: put the IPv6 address in brackets, as in \[::1\]:8080"):
        parse_address("::1:8080")


def test_an_object_is_read_by_namespace_and_name() -> None:
    assert parse_ref("platform/default.provider") == Ref("platform", "default.provider")


@pytest.mark.parametrize("text", ["", "default", "/default", "platform/", "a/b/c", "Platform/x", "a.b/c", "a/b..c", "a/" + "b" * 254])
def test_what_names_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not name an object: write NAMESPACE/NAME, as in platform/default"):
        parse_ref(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ()), ("a", ("a",)), ("b,a", ("a", "b")), (" a , b ,, a ", ("a", "b"))],
)
def test_namespaces_are_read_between_the_commas(text: str, expected: tuple[str, ...]) -> None:
    assert parse_namespaces(text) == expected
