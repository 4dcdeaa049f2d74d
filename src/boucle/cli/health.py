"""What `boucle doctor` looks at: one Check for each thing that a platform needs."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Callable

from boucle.core.check import Check
from boucle.core.errors import BoucleError
from boucle.core.i18n import _
from boucle.settings import Settings

MIN_FREE_BYTES = 2_000_000_000
MIN_SQLITE = (3, 38, 0)
MIN_PYTHON = (3, 11)


def examine(settings: Settings) -> list[Check]:
    """Return the Checks, in the order in which one would mend things. Nothing is changed."""
    looks: list[Callable[[Settings], Check]] = [_python, _server, _home, _token, _disk, _sqlite, _uv, _platform]
    return [_safely(look, settings) for look in looks]


def _safely(look: Callable[[Settings], Check], settings: Settings) -> Check:
    try:
        return look(settings)
    except (BoucleError, OSError, ImportError) as error:
        return Check(look.__name__.strip("_"), "fail", observed=str(error))


def _python(settings: Settings) -> Check:
    del settings
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= MIN_PYTHON:
        return Check("python", "pass", observed=version)
    advice = _("A client needs no more; a platform needs Python 3.11 or later.")
    return Check("python", "warn", observed=version, advice=advice)


def _server(settings: Settings) -> Check:
    del settings
    try:
        import fastapi
        import onnxruntime
        import sqlalchemy
    except ImportError as error:
        return Check("server", "warn", observed=str(error), advice="pip install 'boucle[server]'")
    versions = (
        f"FastAPI {fastapi.__version__}, SQLAlchemy {sqlalchemy.__version__}, onnxruntime {onnxruntime.__version__}"
    )
    return Check("server", "pass", observed=versions)


def _home(settings: Settings) -> Check:
    home = Path(settings.home)
    if not home.exists():
        return Check("home", "pass", observed=_("{home} (made at the first start)").format(home=home))
    mode = home.stat().st_mode & 0o777
    if mode & 0o077:
        advice = f"chmod 700 {home}"
        return Check("home", "warn", observed=_("{home} can be read by others").format(home=home), advice=advice)
    return Check("home", "pass", observed=str(home))


def _token(settings: Settings) -> Check:
    file = Path(settings.home) / "token"
    if not file.exists():
        return Check("token", "pass", observed=_("none yet (made at the first start)"))
    mode = file.stat().st_mode & 0o777
    if mode != 0o600:  # the one right mode
        return Check("token", "fail", observed=f"{file}: {mode:o}", expected="600", advice=f"chmod 600 {file}")
    return Check("token", "pass", observed=_("only you can read it"))


def _disk(settings: Settings) -> Check:
    folder = next(path for path in (Path(settings.home), *Path(settings.home).parents) if path.exists())
    free = shutil.disk_usage(folder).free
    observed = _("{free:.1f} GB free").format(free=free / 1e9)
    if free < MIN_FREE_BYTES:
        return Check(
            "disk", "fail", observed=observed, expected="2 GB", advice=_("Free some space, or move BOUCLE_HOME.")
        )
    return Check("disk", "pass", observed=observed)


def _sqlite(settings: Settings) -> Check:
    del settings
    is_recent = sqlite3.sqlite_version_info >= MIN_SQLITE
    return Check("sqlite", "pass" if is_recent else "fail", observed=sqlite3.sqlite_version, expected="3.38")


def _uv(settings: Settings) -> Check:
    from boucle.bootstrap.data_plane import environments

    found = environments(settings).interpreters()
    observed = _("interpreters: {names}").format(names=", ".join(found) or _("none"))
    return Check("environments", "pass" if found else "fail", observed=observed)


def _platform(settings: Settings) -> Check:
    from boucle.bootstrap.home import Home

    told = Home(Path(settings.home)).platform()
    observed = told["url"] if told else _("down; start it with: boucle up")
    return Check("platform", "pass", observed=observed)
