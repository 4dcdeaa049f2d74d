"""The command line: thin commands over the client (any command) and the wiring (server commands only)."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from boucle.cli import export, inference, models, platform, projects, schedules, watching
from boucle.core.errors import BoucleError
from boucle.core.i18n import _, use_language
from boucle.settings import load

app = typer.Typer(
    name="boucle",
    help="Take a model from a notebook to a service that answers, and renew it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
platform.register(app)
models.register(app)
inference.register(app)
watching.register(app)
export.register(app)
projects.register(app)
schedules.register(app)


def main() -> None:
    """Run a command. Errors of ours are one message on stderr and exit status 1, never a trace."""
    try:
        use_language(load().language)
        app()
    except BoucleError as error:
        text = _("Error: {error}").format(error=error)
        Console(stderr=True, highlight=False).print(text, markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
