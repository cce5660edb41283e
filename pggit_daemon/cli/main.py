"""The program `pggit-daemon`: its commands, and what an error looks like.

Exit codes: 0 done · 1 any other failure · 2 wrong usage or configuration · 3 the server cannot be reached or refuses
the login · 4 the server or database lacks something (the hint says how to give it) · 5 no such commit, migration,
finding, table or object · 6 something is not as recorded (verify) · 128+n ended by the signal n.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from pggit_daemon import __version__
from pggit_daemon.cli import compare, config, findings, history, install, run, status, tools, verify
from pggit_daemon.cli.output import BROKEN_PIPE, visible
from pggit_daemon.config import redact
from pggit_daemon.errors import PggitDaemonError
from pggit_daemon.query.references import UsageError

INTERRUPTED = 130  # 128 + SIGINT, as shells report it

_EPILOG = (
    "Exit codes: 0 done, 1 other failure, 2 wrong usage or configuration, 3 server not reachable or login refused, "
    "4 something is missing on the server (the hint says how to give it), 5 no such commit, migration, "
    "finding, table or object, "
    "6 something is not as recorded (verify), 128+n ended by signal n."
)

app = typer.Typer(
    name="pggit-daemon",
    help="A true, linked, exportable history of every PostgreSQL schema, without touching its migration tools.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(install.init)
app.command("run")(run.run)
app.command("status")(status.status)
app.command("log")(history.log)
app.command("show")(history.show)
app.command("diff")(compare.diff)
app.command("export")(compare.export)
app.command("verify")(verify.verify)
app.command("findings")(findings.findings)
app.command("acknowledge")(findings.acknowledge)
app.command("uninstall")(install.uninstall)
app.add_typer(config.app, name="config")
app.add_typer(tools.app, name="tools")


class _Options:
    """The program's own options, before the command's name."""

    debug = False


def _version(wanted: bool) -> None:  # noqa: FBT001  (the shape that typer calls)
    if wanted:
        typer.echo(f"pggit-daemon {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    _show_version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before the command."""
    _Options.debug = debug


def main() -> None:
    """Run a command and end the process with its exit code."""
    _Options.debug = False
    try:
        _check_encoding(sys.argv[1:])
        app()
    except PggitDaemonError as exc:
        _print_error(exc)
        sys.exit(exc.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except SystemExit:
        if _nobody_reads():
            sys.exit(BROKEN_PIPE)
        raise
    except Exception as exc:  # noqa: BLE001  (the last place: a person gets a sentence, --debug the traceback)
        _print_unexpected(exc)
        sys.exit(1)


def _nobody_reads() -> bool:
    """Whether what was printed went to a pipe whose reader is gone: click tells it by its wrapper, and exit 1."""
    if type(sys.stdout).__name__ == "PacifyFlushWrapper":
        return True
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes nowhere
        return True
    return False


def _check_encoding(words: Iterable[str]) -> None:
    """Refuse what is not UTF-8: no server and no terminal takes what Python puts there instead."""
    for word in words:
        if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
            raise UsageError(f"not UTF-8: {word.encode('utf-8', 'backslashreplace').decode()}")


def _print_error(error: PggitDaemonError) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if _Options.debug:
        console.print(Text(visible(redact("".join(traceback.format_exception(error))))))
    console.print(Text.assemble(("error: ", "bold red"), visible(redact(error.message))))
    if error.hint:
        console.print(Text.assemble(("hint: ", "bold"), visible(redact(error.hint))))


def _print_unexpected(error: Exception) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if _Options.debug:
        console.print(Text(visible(redact("".join(traceback.format_exception(error))))))
    summary = visible(redact(f"{type(error).__name__}: {error}"))
    console.print(Text.assemble(("error: ", "bold red"), f"this should not happen: {summary}"))
    console.print(Text("hint: report it with the output of the same command after `pggit-daemon --debug`"))
