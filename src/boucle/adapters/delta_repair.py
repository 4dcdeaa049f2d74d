"""After a loss of power: the end of a Delta table that never reached the disk is set aside, so that the rest is read.

Delta brings neither files nor commits to the disk. A commit cut short then stops every reader of the table for ever; an
empty one, or one whose files are not whole, hides rows while the positions after it say that they are there. Nothing
but the end of the table can be so: streams are deleted, and checkpoints made, only after the table was synced. So all
from the first damaged commit on is moved aside, the positions go back with it, and the collector reads it again.

This is looked for once after each start of the machine: what was written since is in its memory at least.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from boucle.adapters.segments import sync_folder

log = logging.getLogger(__name__)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MAGIC = b"PAR1"  # the first and the last bytes of a Parquet file
_NEVER = 1 << 62
_LONG_WRITTEN_S = 600.0  # what was written so long ago has reached the disk, whoever asked for it


@dataclass
class _File:
    """A file of rows: the commits that added and removed it."""

    path: Path
    size: int
    added: int
    removed: int = _NEVER


def boot() -> str:
    """Return what names this life of the machine; "" where nothing does."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def cut_back(folder: Path) -> int:
    """Set aside what a loss of power damaged of the table in a folder; return how many commits.

    They are kept in ``<folder>_torn``. Without damage it costs a look at the files of the newest commits. Nobody else
    may write the table meanwhile. Raises OSError.
    """
    aside = folder.with_name(folder.name + "_torn")
    marker, now = aside / "boot", boot()
    if not (folder / "_delta_log").is_dir() or (now and marker.exists() and marker.read_text() == now):
        return 0
    aside.mkdir(mode=0o700, exist_ok=True)
    torn = _torn(folder, aside)
    for path in reversed(torn):  # the newest first: killed in between, the next look finds the rest
        path.rename(aside / path.name)
    if torn:
        sync_folder(folder / "_delta_log")
        told = {"commits": len(torn), "first": torn[0].name, "kept_in": str(aside)}
        log.error("the end of the inference log was damaged: it is collected again", extra=told)
    marker.write_text(now)
    return len(torn)


def _torn(folder: Path, aside: Path) -> list[Path]:
    """Return the commits to be set aside, in order; checkpoints that are not whole are set aside at once."""
    base = _checkpoint(folder / "_delta_log", aside)
    commits = {int(path.stem): path for path in (folder / "_delta_log").glob("*.json") if path.stem.isdecimal()}
    newer = sorted(version for version in commits if version > base)
    if newer and base < 0 < newer[0]:
        return _beyond_repair(folder)
    read, first_torn = _read(folder, base, newer, commits)
    while True:
        lacking = [one.added for one in read if one.added < first_torn <= one.removed and not _is_whole(one)]
        if not lacking:
            break
        first_torn = min(lacking)
    torn = [commits[version] for version in newer if version >= first_torn]
    times = [path.stat().st_mtime for path in torn]
    return _beyond_repair(folder) if times and max(times) - min(times) > _LONG_WRITTEN_S else torn


def _beyond_repair(folder: Path) -> list[Path]:
    """Say that what is damaged was on the disk long before, so that it cannot be collected again; touch nothing."""
    log.error("the inference log is damaged, though not by a loss of power: restore it", extra={"folder": str(folder)})
    return []


def _read(folder: Path, base: int, newer: Iterable[int], commits: dict[int, Path]) -> tuple[list[_File], int]:
    """Return the files that commits added, and the first commit that cannot be read or is not there."""
    found: dict[str, _File] = {}
    expected = base + 1
    for version in newer:
        actions = _actions(commits[version])
        if version != expected or not actions:
            return list(found.values()), expected
        expected += 1
        for action in actions:
            if "add" in action:
                path = action["add"]["path"]
                found[path] = _File(folder / unquote(path), action["add"]["size"], version)
            elif "remove" in action and action["remove"]["path"] in found:
                found[action["remove"]["path"]].removed = version
    return list(found.values()), expected


def _actions(commit: Path) -> list[Any]:
    """Return the actions of a commit; none when it is not whole."""
    try:
        lines = [json.loads(line) for line in commit.read_bytes().splitlines()]
    except ValueError:
        return []
    return lines if all(isinstance(line, dict) for line in lines) else []


def _checkpoint(commits: Path, aside: Path) -> int:
    """Return the version of the newest whole checkpoint, -1 without any; set aside those that are not whole."""
    whole = [-1]
    for path in commits.glob("*.checkpoint.parquet"):
        if _ends_well(path):
            whole.append(int(path.name.partition(".")[0]))
        else:
            path.rename(aside / path.name)
    hint = commits / "_last_checkpoint"
    if hint.exists() and _named(hint) not in whole[1:]:
        hint.rename(aside / hint.name)
    return max(whole)


def _named(hint: Path) -> int | None:
    """Return which checkpoint a hint names; None when it is not whole."""
    try:
        return int(json.loads(hint.read_bytes())["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _is_whole(file: _File) -> bool:
    try:
        return file.path.stat().st_size == file.size and _ends_well(file.path)
    except OSError:
        return False


def _ends_well(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
        file.seek(max(0, path.stat().st_size - len(_MAGIC)))
        return start == file.read() == _MAGIC
