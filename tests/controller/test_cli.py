import logging
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

import controller
from controller import cli, flags
from controller.objects import Ref
from controller.selectors import parse_selector
from controller.settings import Address, Settings
from reconcilers import crds
from reconcilers.fields import DeletionPolicy

ALL_FLAGS = [
    *("--metrics-auth", "--metrics-tls-dir"),
    *("--metrics-bind-address", "--health-bind-address", "--leader-elect", "--no-leader-elect", "--lease-namespace"),
    *("--lease-duration", "--renew-deadline", "--retry-period", "--workers", "--watch-namespaces", "--resync-interval"),
    *("--create-grace", "--quota-fraction", "--default-provider", "--default-deletion-policy", "--allow-custom-endpoints"),
    *("--allow-policy-lockout-bypass", "--refuse-open-policies", "--log-level", "--log-format"),
]


class App(types.ModuleType):
    """What the command starts, in place of the whole operator: keeps its settings and ends with a code."""

    def __init__(self) -> None:
        super().__init__("controller.app")
        self.started: list[Settings] = []
        self.code = 0

    async def run(self, settings: Settings) -> int:
        self.started.append(settings)
        structlog.get_logger().info("started")
        return self.code


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    app = App()
    monkeypatch.setitem(sys.modules, "controller.app", app)
    monkeypatch.setattr(controller, "app", app, raising=False)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # noted, and so put back after the test
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield app
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def environment_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    monkeypatch.delenv("POD_NAME", raising=False)
    monkeypatch.setattr(cli, "NAMESPACE_FILE", tmp_path / "namespace")


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli.main, arguments, env=environment)


def settings_of(app: App, *flags: str, **environment: str) -> Settings:
    result = invoke("run", *flags, **environment)
    assert result.exit_code == 0, result.output
    (settings,) = app.started
    return settings


def test_without_flags_the_defaults_hold(app: App) -> None:
    assert settings_of(app) == Settings(
        metrics_bind_address=Address("", 8080),
        metrics_auth=False,
        metrics_tls_dir=None,
        health_bind_address=Address("", 8081),
        leader_elect=True,
        lease_namespace="infra-operator-system",
        lease_duration=timedelta(seconds=15),
        renew_deadline=timedelta(seconds=10),
        retry_period=timedelta(seconds=2),
        workers=10,
        watch_namespaces=(),
        watch_selector=None,
        controller_ring="",
        resync_interval=timedelta(minutes=10),
        create_grace=timedelta(minutes=5),
        quota_fraction=0.5,
        default_provider=None,
        default_deletion_policy="ScheduleKeyDeletion",
        allow_custom_endpoints=False,
        ambient_credentials_namespaces=("*",),
        allow_policy_lockout_bypass=False,
        refuse_open_policies=False,
        log_level="info",
        log_format="json",
        pod_name=socket.gethostname(),
    )


CHOICES: list[tuple[str, str, object]] = [
    ("metrics-bind-address", "127.0.0.1:0", Address("127.0.0.1", 0)),
    ("health-bind-address", "0", None),
    ("lease-namespace", "leases", "leases"),
    ("lease-duration", "1m", timedelta(minutes=1)),
    ("renew-deadline", "14s", timedelta(seconds=14)),
    ("retry-period", "300ms", timedelta(milliseconds=300)),
    ("workers", "3", 3),
    ("watch-namespaces", "b,a", ("a", "b")),
    ("watch-selector", "tier in (b,a),shard==x", parse_selector("shard=x,tier in (a,b)")),
    ("resync-interval", "1h30m", timedelta(minutes=90)),
    ("create-grace", "90s", timedelta(seconds=90)),
    ("quota-fraction", "1", 1.0),
    ("default-provider", "platform/default", Ref("platform", "default")),
    ("default-deletion-policy", "Retain", "Retain"),
    ("log-level", "debug", "debug"),
    ("log-format", "console", "console"),
]


def variable(flag: str) -> str:
    return "INFRA_OPERATOR_" + flag.upper().replace("-", "_")


@pytest.mark.parametrize(("flag", "text", "expected"), CHOICES)
def test_a_flag_is_read(flag: str, text: str, expected: object, app: App) -> None:
    assert getattr(settings_of(app, f"--{flag}", text), flag.replace("-", "_")) == expected


@pytest.mark.parametrize(("flag", "text", "expected"), CHOICES)
def test_a_variable_is_read(flag: str, text: str, expected: object, app: App) -> None:
    assert getattr(settings_of(app, **{variable(flag): text}), flag.replace("-", "_")) == expected


@pytest.mark.parametrize(
    ("flags", "environment", "name", "expected"),
    [
        (["--no-leader-elect"], {}, "leader_elect", False),
        ([], {"INFRA_OPERATOR_LEADER_ELECT": "false"}, "leader_elect", False),
        (["--leader-elect"], {"INFRA_OPERATOR_LEADER_ELECT": "false"}, "leader_elect", True),
        (["--allow-custom-endpoints"], {}, "allow_custom_endpoints", True),
        ([], {"INFRA_OPERATOR_ALLOW_CUSTOM_ENDPOINTS": "true"}, "allow_custom_endpoints", True),
        ([], {"INFRA_OPERATOR_ALLOW_CUSTOM_ENDPOINTS": "false"}, "allow_custom_endpoints", False),
        (["--allow-policy-lockout-bypass"], {}, "allow_policy_lockout_bypass", True),
        ([], {"INFRA_OPERATOR_REFUSE_OPEN_POLICIES": "true"}, "refuse_open_policies", True),
        (["--workers", "3"], {"INFRA_OPERATOR_WORKERS": "4"}, "workers", 3),
        ([], {"INFRA_OPERATOR_WORKERS": ""}, "workers", 10),
        ([], {"POD_NAMESPACE": "pods"}, "lease_namespace", "pods"),
        ([], {"POD_NAMESPACE": "pods", "INFRA_OPERATOR_LEASE_NAMESPACE": "leases"}, "lease_namespace", "leases"),
        ([], {"POD_NAME": "operator-7d9f"}, "pod_name", "operator-7d9f"),
    ],
)
def test_switches_and_precedence(flags: list[str], environment: dict[str, str], name: str, expected: object, app: App) -> None:
    assert getattr(settings_of(app, *flags, **environment), name) == expected


def test_in_a_cluster_the_lease_is_in_the_namespace_of_the_pod(app: App) -> None:
    cli.NAMESPACE_FILE.write_text("from-the-cluster\n")
    assert settings_of(app).lease_namespace == "from-the-cluster"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--create-grace", "5 minutes"], "'5 minutes' is not a duration: write 5m, 90s or 1h30m"),
        (["--metrics-bind-address", "8080"], "'8080' is not an address: write :8080, 127.0.0.1:8080, or 0 to switch it off"),
        (["--default-provider", "default"], "'default' does not name an object: write NAMESPACE/NAME, as in platform/default"),
        (["--default-deletion-policy", "delete"], "'delete' is not one of 'ScheduleKeyDeletion', 'Delete'"),
        (["--quota-fraction", "0"], "0.0 is not in the range 0<x<=1"),
        (["--workers", "0"], "0 is not in the range 1<=x<=1000"),
        (["--log-level", "trace"], "'trace' is not one of 'debug', 'info', 'warning', 'error'"),
        (["--lease-duration", "10s"], "--lease-duration (10s) must be longer than --renew-deadline (10s)"),
        (["--watch-namespaces", "A"], "--watch-namespaces: 'A' is not the name of a namespace"),
        (["--unknown"], "No such option"),
        (["argument"], "unexpected extra argument"),
    ],
)
def test_a_mistake_ends_with_code_2_and_says_what_to_write(flags: list[str], message: str, app: App) -> None:
    result = invoke("run", *flags)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not app.started


def test_a_mistake_in_a_variable_names_the_variable(app: App) -> None:
    result = invoke("run", INFRA_OPERATOR_RESYNC_INTERVAL="soon")
    assert result.exit_code == 2
    assert "INFRA_OPERATOR_RESYNC_INTERVAL" in result.stderr
    assert not app.started


@pytest.mark.parametrize("code", [0, 1, 3])
def test_run_ends_with_the_code_of_the_operator(code: int, app: App) -> None:
    app.code = code
    assert invoke("run").exit_code == code


def test_run_logs_to_stderr_in_the_chosen_form(app: App) -> None:
    result = invoke("run", "--log-format", "json")
    assert '"event": "started"' in result.stderr
    assert result.stdout == ""
    assert len(app.started) == 1


def test_help_shows_each_flag_and_its_variable() -> None:
    words = invoke("run", "--help").output.replace(",", " ").replace(";", " ").replace("]", " ").split()
    assert [flag for flag in ALL_FLAGS if flag not in words] == []
    assert [flag for flag, _, _ in CHOICES if variable(flag) not in words] == []


def test_the_deletion_policies_are_those_of_the_api() -> None:
    assert list(flags.DELETION_POLICIES) == [policy.value for policy in DeletionPolicy]


def test_crds_prints_the_definitions() -> None:
    result = invoke("crds")
    assert result.exit_code == 0
    assert result.stdout == crds.render()
    assert result.stdout.endswith("\n")


def test_version_is_one_line() -> None:
    result = invoke("--version")
    assert result.exit_code == 0
    assert result.output.startswith("infra-operator, version ")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own


def test_the_module_is_the_command() -> None:
    done = python("-m", "controller", "run", "--workers", "none")
    assert done.returncode == 2
    assert "'none' is not a valid integer" in done.stderr


def test_help_does_not_wait_for_the_clients() -> None:
    loaded = python("-c", "import sys, controller.cli; print(*sys.modules)").stdout.split()
    assert {"aiohttp", "kubernetes_asyncio", "aiobotocore", "pydantic", "structlog"}.isdisjoint(loaded)
