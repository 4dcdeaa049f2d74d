"""What is handed to another process is there while it is lent, and not for ever after a kill."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from boucle.core.passing import DAY_S, passing_file, passing_folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_file_is_read_under_its_name_while_it_is_lent(temporary: Path) -> None:
    with passing_folder("rules") as folder:
        with passing_file(folder / "rows") as file:
            file.write(b"rows")
            file.flush()
            assert (folder / "rows").read_bytes() == b"rows"
        assert folder.stat().st_mode & 0o077 == 0
    assert list(temporary.iterdir()) == []


def test_folders_that_a_kill_left_are_deleted_after_a_day(temporary: Path) -> None:
    for name, age_s in (("boucle-rules-old", DAY_S + 60), ("boucle-rules-new", 60.0), ("others", 9 * DAY_S)):
        (temporary / name).mkdir()
        (temporary / name / "rows").write_bytes(b"rows")
        os.utime(temporary / name, (time.time() - age_s,) * 2)

    with passing_folder("rules"):
        pass

    assert sorted(path.name for path in temporary.iterdir()) == ["boucle-rules-new", "others"]
