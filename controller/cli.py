"""The command line: what a user may say, and the words in which a mistake is refused.

Rules:
1. Each flag of `run` is an environment variable too, INFRA_OPERATOR_ and its name; the flag wins.
2. Nothing is started before all flags are known to be right; wrong ones end with exit code 2 and say what to write instead.
3. What a command needs is imported by that command: --help need not wait for the clients of two clouds.
"""

import asyncio
import os
import socket
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import click

from controller.flags import (
    ADDRESS,
    ALLOW_CUSTOM_ENDPOINTS,
    ALLOW_POLICY_LOCKOUT_BYPASS,
    AMBIENT_CREDENTIALS_NAMESPACES,
    CREATE_GRACE,
    DEFAULT_DELETION_POLICY,
    DEFAULT_PROVIDER,
    DURATION,
    NAMESPACES,
    REFUSE_OPEN_POLICIES,
    SELECTOR,
    flag,
)
from controller.report_commands import iam_policy, migrate, orphans, plan, status
from controller.settings import LOG_FORMATS, LOG_LEVELS, MAX_WORKERS, Settings, SettingsError

# Where Kubernetes tells a pod its namespace.
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
FALLBACK_NAMESPACE = "infra-operator-system"


def _own_namespace() -> str:
    try:
        return NAMESPACE_FILE.read_text().strip()
    except OSError:  # outside a cluster
        return FALLBACK_NAMESPACE


def _version() -> str:
    try:
        return metadata.version("infra-operator")
    except metadata.PackageNotFoundError:
        return "unknown: the package is not installed"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(_version(), prog_name="infra-operator")
def main() -> None:
    """Manage AWS KMS keys as Kubernetes objects: exactly one key for each, kept as declared."""


@main.command()
@flag("--metrics-bind-address", "Where /metrics is served; 0 switches it off.", type=ADDRESS, default=":8080")
@flag("--metrics-auth", "Serve /metrics to those only whom the API server knows and RBAC lets read it.", is_flag=True)
@flag(
    "--metrics-tls-dir", "Folder with tls.crt and tls.key for /metrics.", type=click.Path(path_type=Path), show_default="in clear"
)
@flag("--health-bind-address", "Where /healthz and /readyz are served; 0 switches them off.", type=ADDRESS, default=":8081")
@flag("--leader-elect/--no-leader-elect", "Let only one of several replicas work. Needed as soon as there are two.", default=True)
@flag(
    "--lease-namespace",
    "Namespace of the Lease.",
    "POD_NAMESPACE",
    default=_own_namespace,
    show_default=f"the pod's, else {FALLBACK_NAMESPACE}",
)
@flag("--lease-duration", "How long a standby waits before it takes over.", type=DURATION, default="15s")
@flag("--renew-deadline", "How long a leader that cannot renew its Lease may work on.", type=DURATION, default="10s")
@flag("--retry-period", "Time between two renewals.", type=DURATION, default="2s")
@flag("--workers", "Objects reconciled at a time.", type=click.IntRange(1, MAX_WORKERS), default=10)
@flag("--watch-namespaces", "Namespaces to watch, with commas between.", type=NAMESPACES, default="", show_default="all")
@flag(
    "--watch-selector",
    "Label selector of the KMSKeys, KMSAliases and KMSGrants to work on; the rest is for operators with other selectors.",
    type=SELECTOR,
    default="",
    show_default="all",
)
@flag("--controller-ring", "ControllerRing whose sharder divides the objects among all replicas.", default="", show_default="none")
@flag("--resync-interval", "How often an unchanged object is compared with AWS.", type=DURATION, default="10m")
@CREATE_GRACE
@flag("--quota-fraction", "Share of AWS's request quotas to use.", type=click.FloatRange(0, 1, min_open=True), default=0.5)
@DEFAULT_PROVIDER
@DEFAULT_DELETION_POLICY
@ALLOW_CUSTOM_ENDPOINTS
@AMBIENT_CREDENTIALS_NAMESPACES
@ALLOW_POLICY_LOCKOUT_BYPASS
@REFUSE_OPEN_POLICIES
@flag("--log-level", "Least level that is logged.", type=click.Choice(LOG_LEVELS), default="info")
@flag("--log-format", "Form of the log.", type=click.Choice(LOG_FORMATS), default="json")
def run(**flags: Any) -> NoReturn:
    """Run the operator until it is stopped or loses its Lease.

    SIGTERM ends it with exit code 0 after what it is doing now, a lost Lease at once with another.
    Kubernetes is found through KUBECONFIG or in the cluster, AWS through an AWSProvider or the usual AWS_ variables.
    Durations are written as 300ms, 90s, 5m or 1h30m.
    """
    try:
        settings = Settings(pod_name=os.environ.get("POD_NAME") or socket.gethostname(), **flags)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    from controller import logs  # noqa: PLC0415 - rule 3

    logs.configure(settings.log_level, settings.log_format, sys.stderr)
    from controller import app  # noqa: PLC0415 - rule 3; and what it imports may log

    sys.exit(asyncio.run(app.run(settings)))


@main.command()
def crds() -> None:
    """Print the CustomResourceDefinitions, for kubectl apply -f -."""
    from reconcilers.crds import render  # noqa: PLC0415 - rule 3

    click.echo(render(), nl=False)


for _command in (plan, status, orphans, iam_policy, migrate):
    main.add_command(_command)
