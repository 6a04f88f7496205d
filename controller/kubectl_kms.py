"""`kubectl kms`: the commands of `infra-operator` that users of keys want, where they work, and a few that write into a KMSKey for them.

Rules:
1. It is kubectl's way: KUBECONFIG, -n, and without it the namespace of the current context.
2. Whatever it writes is an object that the operator acts upon; it never writes to AWS.
3. What makes a new object prints it first; --apply creates it, and never changes one that is there.
4. What a command needs is imported by that command.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
import yaml
from click.shell_completion import ShellComplete

from controller.context_namespace import context_namespace
from controller.flags import ALLOW_CUSTOM_ENDPOINTS, DURATION, OBJECT
from controller.report_commands import orphans, plan, status
from reconcilers.names import API_VERSION

if TYPE_CHECKING:
    from controller.key_requests import Asked
    from controller.kube import Kube
    from controller.objects import Ref

T = TypeVar("T")

PROGRAM = "kubectl-kms"
NO_FILES = ":4"  # what kubectl expects below the completions of a plugin: do not add names of files

_NAMESPACE = click.option("-n", "--namespace", default="default", show_default="that of the context", help="Namespace of the object.")
_WAIT = click.option("--wait", is_flag=True, help="Until the operator has answered.")
_TIMEOUT = click.option("--timeout", type=DURATION, default="1m", show_default=True, help="How long to wait for that.")
_APPLY = click.option("--apply", "is_applied", is_flag=True, help="Create the object instead of printing it.")
_OUTPUT = click.option("-o", "--output", type=click.Choice(("yaml", "json")), default="yaml", help="Form of the object.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def main() -> None:
    """Look after KMSKeys."""


@main.command()
@click.argument("name")
@_NAMESPACE
@_WAIT
@_TIMEOUT
def rotate(name: str, namespace: str, wait: bool, timeout: timedelta) -> None:
    """Rotate the key material of a KMSKey once, by a new token in spec.rotateOnDemand. KMS allows 25 such rotations in the life of a key."""
    from controller import key_requests  # noqa: PLC0415 - rule 4

    _ask(key_requests.ask_rotation, namespace, name, timeout if wait else None)


@main.command()
@click.argument("name")
@_NAMESPACE
@_WAIT
@_TIMEOUT
def reconcile(name: str, namespace: str, wait: bool, timeout: timedelta) -> None:
    """Have the operator look at a KMSKey and its key now."""
    from controller import key_requests  # noqa: PLC0415 - rule 4

    _ask(key_requests.ask_look, namespace, name, timeout if wait else None)


@main.command()
@click.argument("name")
@_NAMESPACE
@click.option("--key-id", help="The key's id.")
@click.option("--arn", help="The key's ARN.")
@click.option("--alias", help="An alias that leads to the key.")
@click.option("--provider", metavar="NAME", help="AWSProvider that leads to the key. Default: the namespace's.")
@_APPLY
@_OUTPUT
def adopt(name: str, namespace: str, provider: str | None, is_applied: bool, output: str, **names: str | None) -> None:
    """Take over an existing key: print the KMSKey that does it, or create it.

    What it does not say stays as it is on the key. Its deletionPolicy is Retain.
    """
    given = {{"key_id": "keyId"}.get(option, option): value for option, value in names.items() if value}
    if len(given) != 1:
        raise click.UsageError("name the key once: write --key-id, --arn or --alias")
    named = {"providerRef": {"name": provider}} if provider else {}
    spec = {**named, "adopt": given, "deletionPolicy": "Retain"}
    metadata = {"name": name, "namespace": namespace}
    _deliver({"apiVersion": API_VERSION, "kind": "KMSKey", "metadata": metadata, "spec": spec}, is_applied, output)


@main.command()
@click.argument("ref", metavar="NAMESPACE/NAME", type=OBJECT)
@click.option("--provider", metavar="NAMESPACE/NAME", type=OBJECT, help="AWSProvider that leads to the key. Default: the namespace's.")
@_APPLY
@_OUTPUT
@ALLOW_CUSTOM_ENDPOINTS
def restore(ref: "Ref", provider: "Ref | None", is_applied: bool, output: str, allow_custom_endpoints: bool) -> None:
    """Find the key of a KMSKey that was deleted, and print the object to which it comes back, or create it.

    The key is known by its owner tags; several, or none, are refused. The object says what AWS shows of the key. A key whose deletion is
    scheduled is saved by it.
    """
    from aws.errors import AWSError  # noqa: PLC0415 - rule 4
    from controller.restore_command import run  # noqa: PLC0415 - rule 4
    from reconcilers.failures import explain  # noqa: PLC0415 - rule 4
    from reconcilers.restoration import NotRestorableError  # noqa: PLC0415 - rule 4

    _log_warnings()
    try:
        found = _done(run(ref, provider, allow_custom_endpoints=allow_custom_endpoints))
    except NotRestorableError as error:
        raise click.ClickException(str(error)) from error
    except AWSError as error:
        raise click.ClickException(explain(error.failure).message) from error
    for note in found.notes:
        click.echo(f"Note: {note}.", err=True)
    _deliver(found.manifest, is_applied, output)


for _command in (plan, status, orphans):
    main.add_command(_command)


def run() -> NoReturn:
    """The console script."""
    namespace = {"namespace": context_namespace()}
    main(prog_name="kubectl kms", default_map=dict.fromkeys(("plan", "rotate", "reconcile", "adopt"), namespace))
    sys.exit()


def complete() -> None:
    """The console script that kubectl runs for completions: the words so far, the last of which is being written."""
    *words, begun = sys.argv[1:] or [""]
    for found in ShellComplete(main, {}, PROGRAM, "").get_completions(words, begun):
        click.echo(f"{found.value}\t{found.help}" if found.help else found.value)
    click.echo(NO_FILES)


def _ask(
    ask: "Callable[[Kube, Ref, datetime], Awaitable[Asked]]", namespace: str, name: str, timeout: timedelta | None
) -> None:
    """Ask, and wait for the answer if there is a timeout."""
    from controller import key_requests  # noqa: PLC0415 - rule 4
    from controller.connection import connect  # noqa: PLC0415 - rule 4
    from controller.objects import Ref  # noqa: PLC0415 - rule 4

    async def work() -> str:
        kube = await connect(PROGRAM)
        try:
            asked = await ask(kube, Ref(namespace, name), datetime.now(UTC))
            if timeout is None:
                return f"asked as {asked.token}"
            return await key_requests.answer(kube, asked, timeout.total_seconds())
        finally:
            await kube.close()

    try:
        told = _done(work())
    except key_requests.UnansweredError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"kmskey/{name}: {told}")


def _deliver(manifest: dict[str, Any], is_applied: bool, output: str) -> None:
    """Print the object, or create it."""
    if not is_applied:
        text = json.dumps(manifest, indent=2) if output == "json" else yaml.safe_dump(manifest, sort_keys=False).rstrip()
        click.echo(text)
        return
    from controller.connection import connect  # noqa: PLC0415 - rule 4
    from controller.key_objects import KMSKEYS  # noqa: PLC0415 - rule 4

    async def create() -> None:
        kube = await connect(PROGRAM)
        try:
            await kube.post(KMSKEYS.path(manifest["metadata"]["namespace"]), manifest)
        finally:
            await kube.close()

    _done(create())
    click.echo(f"kmskey/{manifest['metadata']['name']} created")


def _log_warnings() -> None:
    from controller import logs  # noqa: PLC0415 - rule 4

    logs.configure("warning", "console", sys.stderr)


def _done(work: Coroutine[Any, Any, T]) -> T:
    """What came of it. Errors of Kubernetes end the command with words."""
    from controller.access import AccessError  # noqa: PLC0415 - rule 4
    from controller.kube import KubeError  # noqa: PLC0415 - rule 4
    from controller.objects import UndecodableError  # noqa: PLC0415 - rule 4

    try:
        return asyncio.run(work)
    except AccessError as error:
        raise click.ClickException(str(error)) from error
    except (KubeError, UndecodableError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    run()
