import click
import pytest
from click.testing import CliRunner, Result

from controller.flags import DURATION, OBJECT, flag


@click.command()
@flag("--long-wait", "How long.", type=DURATION, default="5m")
@flag("--on/--off", "Whether.", "ANOTHER_NAME", default=True)
@flag("--thing", "Which.", type=OBJECT)
def command(long_wait: object, on: bool, thing: object) -> None:
    """Echoes its flags."""
    click.echo(f"{long_wait} {on} {thing}")


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(command, arguments, env=environment)


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ([], {}, "0:05:00 True None"),
        (["--long-wait", "90s", "--off", "--thing", "a/b"], {}, "0:01:30 False a/b"),
        ([], {"INFRA_OPERATOR_LONG_WAIT": "1s", "INFRA_OPERATOR_ON": "false"}, "0:00:01 False None"),
        ([], {"ANOTHER_NAME": "false"}, "0:05:00 False None"),
        (["--on"], {"INFRA_OPERATOR_ON": "false"}, "0:05:00 True None"),
    ],
)
def test_a_flag_is_a_variable_too_and_the_flag_wins(arguments: list[str], environment: dict[str, str], said: str) -> None:
    assert invoke(*arguments, **environment).stdout == f"{said}\n"


def test_a_value_is_refused_in_the_words_of_its_parser() -> None:
    result = invoke("--long-wait", "soon")
    assert result.exit_code == 2
    assert "'soon' is not a duration: write 5m, 90s or 1h30m" in result.stderr


def test_help_shows_variable_and_default() -> None:
    text = " ".join(invoke("--help").stdout.split())
    assert "How long. [env var: INFRA_OPERATOR_LONG_WAIT; default: 5m]" in text
    assert "INFRA_OPERATOR_ON, ANOTHER_NAME" in text
