"""The commands that look and tell: plan, status, orphans, iam-policy and migrate. None of them changes anything.

Rules:
1. The report is the only thing on the standard output; warnings go to the standard error.
2. The exit code of all but iam-policy is an answer: 0 nothing, 2 something, 1 an error. So a mistake in their flags ends with 1 too.
3. What a command needs is imported by that command: --help need not wait for the clients of two clouds.
4. Colours are for terminals, and for nobody who has set NO_COLOR.
"""

import asyncio
import json
import os
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn, Protocol

import click

from controller.flags import (
    ALLOW_CUSTOM_ENDPOINTS,
    ALLOW_POLICY_LOCKOUT_BYPASS,
    AMBIENT_CREDENTIALS_NAMESPACES,
    CREATE_GRACE,
    DEFAULT_DELETION_POLICY,
    DEFAULT_PROVIDER,
    REFUSE_OPEN_POLICIES,
)
from controller.tables import in_colour, table
from reconcilers.iam import USUAL, Feature, Where, needed, policy

SOURCES = ("ack", "crossplane", "terraform", "go-operator")
FILE = click.Path(exists=True, dir_okay=False, allow_dash=True)
_OUTPUT = click.option("-o", "--output", type=click.Choice(("table", "json")), default="table", help="Form of the report.")


class _Mistake(click.UsageError):
    """Exit code 2 is an answer of these commands, so that a mistake in their flags ends with 1."""

    exit_code = 1


class _Reporting(click.Command):
    """A command whose flags are refused with a _Mistake."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As every command's, but for the exit code."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise _Mistake(error.format_message(), error.ctx) from error


class _Report(Protocol):
    """What such a command has found."""

    @property
    def exit_code(self) -> int:
        """The process's."""

    def as_table(self) -> str:
        """For people."""

    def as_json(self) -> str:
        """For programs."""


@click.command(cls=_Reporting)
@click.option("-f", "--filename", "files", multiple=True, type=FILE, help="A file with objects; - is the standard input.")
@click.argument("more", nargs=-1, type=FILE, metavar="[FILE]...")
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of the objects that name none.")
@_OUTPUT
@CREATE_GRACE
@DEFAULT_PROVIDER
@DEFAULT_DELETION_POLICY
@ALLOW_CUSTOM_ENDPOINTS
@AMBIENT_CREDENTIALS_NAMESPACES
@ALLOW_POLICY_LOCKOUT_BYPASS
@REFUSE_OPEN_POLICIES
def plan(files: tuple[str, ...], more: tuple[str, ...], namespace: str, output: str, **flags: Any) -> NoReturn:
    """Show what the operator would do for the KMSKeys of files. Writes nothing.

    With a cluster (KUBECONFIG), its objects, AWSProviders and Secrets count, and its API server judges the objects. Without one, every object
    is new, and the AWS_ variables stand in for an AWSProvider that is in no file.
    Give the flags that the operator runs with.

    Exit code: 0 nothing would change, 2 something would, 1 an error or a refused object.
    """
    if not (files or more):
        raise _Mistake("there is no file: write plan -f FILE", click.get_current_context())
    _log_warnings()
    from controller.plan_command import Options, run  # noqa: PLC0415 - rule 3

    _end_with(run((*files, *more), namespace, Options(**flags)), output)


@click.command(cls=_Reporting)
@_OUTPUT
@ALLOW_CUSTOM_ENDPOINTS
def orphans(output: str, **flags: Any) -> NoReturn:
    """List the keys without a KMSKey, and what they cost.

    Looks for keys that this cluster made, in every account and region that one of its AWSProviders leads to. Reads the Secrets that these
    name. Changes nothing.

    Exit code: 0 there is none, 2 there are some, 1 an error, or not everything could be looked at.
    """
    _log_warnings()
    from controller.orphans_command import run  # noqa: PLC0415 - rule 3

    _end_with(run(**flags), output)


@click.command(cls=_Reporting)
@click.option("-n", "--namespace", help="Namespace of the objects. Default: all.")
@click.option("--metrics-url", metavar="URL", help="Of a running operator, such as http://127.0.0.1:8080/metrics: tell its calls to AWS too.")
@_OUTPUT
def status(namespace: str | None, metrics_url: str | None, output: str) -> NoReturn:
    """Tell how all objects stand: providers, keys by state, and what is stuck and why.

    Reads the objects' statuses and nothing else; AWS is not asked. For the calls to AWS, their throttling and their waits:
    kubectl port-forward -n infra-operator-system POD 8080, and --metrics-url.

    Exit code: 0 all is as declared, 2 something is not, 1 an error, or not everything could be looked at.
    """
    _log_warnings()
    from controller.status_command import run  # noqa: PLC0415 - rule 3

    _end_with(run(namespace, metrics_url), output)


@click.command("iam-policy")
@click.option(
    "--feature",
    "features",
    multiple=True,
    type=click.Choice([feature.value for feature in Feature]),
    metavar="FEATURE",
    help=f"What the operator shall be able to do: one of {', '.join(Feature)}; repeatable. Default: {', '.join(USUAL)}.",
)
@click.option("--cluster-id", help="UID of the namespace kube-system: only keys of this cluster may be changed.")
@click.option("--account-id", help="Only keys of this account. Default: any that the identity may reach.")
@click.option("--region", help="Only keys of this region, which leaves out replicas. Default: all.")
@click.option("--partition", default="aws", show_default=True, help="aws, aws-cn or aws-us-gov.")
@click.option("--role-arn", "role_arns", multiple=True, help="Role that may be assumed, for the feature roles; repeatable. Default: any.")
@click.option("--explain", is_flag=True, help="Say on the standard error what each action is for.")
@click.option("-o", "--output", type=click.Choice(("json",)), default="json", expose_value=False, help="Form of the policy.")
def iam_policy(features: tuple[str, ...], explain: bool, **where: Any) -> None:
    """Print the least IAM policy under which the operator works. It lets nobody encrypt, decrypt or sign.

    The feature roles is for the identity that assumes an AWSProvider's roles; all others are for the role at the end.
    """
    chosen = tuple(map(Feature, features)) or USUAL
    if explain:
        rows = [(permission.action, permission.feature, permission.scope.value, permission.why) for permission in needed(chosen)]
        click.echo(table(("action", "feature", "statement", "for"), rows), err=True)
    click.echo(json.dumps(policy(chosen, Where(**where)), indent=2))


@click.command(cls=_Reporting)
@click.option("--from", "source", required=True, type=click.Choice(SOURCES), help="Who manages the keys so far.")
@click.argument("file", default="-", type=FILE)
@click.option("--provider", metavar="NAME", help="AWSProvider that the objects shall name. Default: none.")
@click.option("-n", "--namespace", help="Namespace of the objects that have none there.")
@click.option("-o", "--output", type=click.Choice(("yaml", "json")), default="yaml", help="Form of the manifests.")
def migrate(source: str, file: str, provider: str | None, namespace: str | None, output: str) -> NoReturn:
    """Print the KMSKeys that take over what another tool manages.

    FILE is what that tool has, on the standard input if it is not named: the objects of ACK, Crossplane or the older operator as
    kubectl get -o yaml prints them; a Terraform state, or what terraform show -json prints. Nobody is asked, and nothing is changed.
    What was left out, and what has to be done first, is told on the standard error: docs/migration.md.

    Exit code: 0 everything was translated, 2 something was left out, 1 an error.
    """
    from controller.manifests import ManifestError  # noqa: PLC0415 - rule 3
    from controller.migrate_command import Source  # noqa: PLC0415 - rule 3
    from controller.migrate_command import migrate as translate  # noqa: PLC0415 - rule 3

    try:
        report = translate(Source(source), file, provider, namespace)
    except ManifestError as error:
        raise click.ClickException(str(error)) from error
    click.echo(report.as_json() if output == "json" else report.as_yaml())
    for line in report.told_beside():
        click.echo(line, err=True)
    sys.exit(report.exit_code)


def _log_warnings() -> None:
    """Before a module is imported that may log: a report is the only thing on the standard output."""
    from controller import logs  # noqa: PLC0415 - rule 3

    logs.configure("warning", "console", sys.stderr)


def _end_with(work: Coroutine[Any, Any, _Report], output: str) -> NoReturn:
    """Do the work, print its report, and end with the report's exit code."""
    from controller.access import AccessError  # noqa: PLC0415 - rule 3
    from controller.kube import KubeError  # noqa: PLC0415 - rule 3
    from controller.manifests import ManifestError  # noqa: PLC0415 - rule 3
    from controller.objects import UndecodableError  # noqa: PLC0415 - rule 3

    try:
        report = asyncio.run(work)
    except (AccessError, ManifestError) as error:
        raise click.ClickException(str(error)) from error
    except (KubeError, UndecodableError) as error:
        raise click.ClickException(f"the cluster cannot be asked: {error}") from error
    colour = False if os.environ.get("NO_COLOR") else None  # None: click asks the output whether it is a terminal
    click.echo(report.as_json() if output == "json" else in_colour(report.as_table()), color=colour)
    sys.exit(report.exit_code)
