"""The home of a platform: where each thing lies, the local token, and what is written about a running platform."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boucle.core.errors import NotAllowed
from boucle.core.files import publish
from boucle.core.i18n import _

MAX_SOCKET_PATH = 100  # the kernel takes 107 bytes


@dataclass(frozen=True)
class Home:
    """Paths below one folder. ``prepare()`` makes the folders; nothing else here writes."""

    root: Path

    def prepare(self) -> Home:
        """Make the folders, each readable by its owner only. Raises NotAllowed for a folder that is another user's."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.artifacts, self.uploads, self.environments, self.logs, self.socket.parent):
            folder.mkdir(exist_ok=True, mode=0o700)
        for folder in {self.root, self.socket.parent}:
            keep_private(folder)
        return self

    @property
    def database_url(self) -> str:
        """The address of the database."""
        return f"sqlite:///{self.root / 'db.sqlite'}"

    @property
    def artifacts(self) -> Path:
        """Content-addressed bytes."""
        return self.root / "artifacts"

    @property
    def uploads(self) -> Path:
        """Uploads under way."""
        return self.root / "uploads"

    @property
    def environments(self) -> Path:
        """One environment for each lock."""
        return self.root / "envs"

    @property
    def logs(self) -> Path:
        """One file of JSON lines for each process."""
        return self.root / "logs"

    @property
    def run_logs(self) -> Path:
        """The output of each run of a project."""
        return self.logs / "runs"

    @property
    def projects(self) -> Path:
        """Projects made by their name alone."""
        return self.root / "projects"

    @property
    def packages(self) -> Path:
        """Links to this boucle, for the environments of projects."""
        return self.root / "packages"

    @property
    def routes(self) -> Path:
        """The gateway's own copy of the route table."""
        return self.root / "routes.json"

    @property
    def token_file(self) -> Path:
        """The local token, mode 0600."""
        return self.root / "token"

    @property
    def segments(self) -> Path:
        """The inference log until it is collected: one folder for each life of a gateway."""
        return self.root / "segments"

    @property
    def inference_log(self) -> Path:
        """The inference log as a Delta table."""
        return self.root / "inference_log"

    @property
    def reports(self) -> Path:
        """The periodic reports: a folder for each model."""
        return self.root / "reports"

    @property
    def platform_file(self) -> Path:
        """What a running platform says of itself."""
        return self.root / "platform.json"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.root / "up.lock"

    @property
    def socket(self) -> Path:
        """The model host's socket; in a short private folder when the home's path is too long for the kernel."""
        near = self.root / "host.sock"
        if len(os.fsencode(near)) <= MAX_SOCKET_PATH:
            return near
        key = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"boucle-{os.getuid()}-{key}" / "host.sock"

    def token(self, given: str = "") -> str:
        """Return the token of this platform: the one given, else that of the token file, made when missing."""
        if given:
            publish(self.token_file, given.encode())
            return given
        if not self.token_file.exists():
            publish(self.token_file, secrets.token_urlsafe(32).encode())
        return self.token_file.read_text(encoding="utf-8").strip()

    def platform(self) -> dict[str, Any] | None:
        """Return what the running platform says of itself; None when none runs from this home."""
        if not self.is_held():
            return None
        try:
            told: dict[str, Any] = json.loads(self.platform_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return told

    def is_held(self) -> bool:
        """True when a supervisor lives in this home (its lock dies with it, however it dies)."""
        try:
            with self.lock_file.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


def keep_private(folder: Path) -> None:
    """Close a folder to all but its owner. Raises NotAllowed unless it is a real folder of this user's."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise NotAllowed(
            "foreign-folder",
            _("{folder} belongs to another user or is a link. Choose another BOUCLE_HOME.").format(folder=folder),
        )
    folder.chmod(0o700)
