"""What a person sees while a deploy runs, in a notebook, in a terminal and in a log."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from boucle.client.card import card_html, card_text
from boucle.client.view import LinesView, NotebookView, Progress, showing, terminal_view
from boucle.core.check import Check
from boucle.core.schema import Schema
from boucle.core.signature import Signature
from boucle.core.version import Artifact, Manifest, Version

PASSED = Check("load", "pass", "loaded in 0.4 s")
FAILED = Check("raw-rows", "fail", "takes <b>numbers</b> only", advice="Put both\nin one pipeline")


class Display:
    """What IPython's ``display`` does: shows once, then writes the same output anew."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def __call__(self, content: Any, display_id: bool) -> Display:
        assert display_id
        self.update(content)
        return self

    def update(self, content: Any) -> None:
        self.shown.append(content._repr_html_())


def test_a_notebook_shows_one_output_that_grows() -> None:
    display = Display()
    view = NotebookView(Progress("Deploying churn"), display)
    view.stage("Building version 1")
    view.uploading(1_048_576, 2_097_152)
    view.check(PASSED)
    view.check(FAILED)
    view.done("churn version 1 answers")
    assert "Building version 1 …" in display.shown[0]
    assert "Sending 1.0 of 2.0 MB" in display.shown[1]
    assert "loaded in 0.4 s" in display.shown[-1]
    assert "<progress" in display.shown[-2]
    assert "<progress" not in display.shown[-1]


def test_a_notebook_never_runs_what_a_model_tells() -> None:
    display = Display()
    NotebookView(Progress("Deploying churn"), display).check(FAILED)
    assert "&lt;b&gt;numbers&lt;/b&gt;" in display.shown[0]


def test_a_terminal_shows_checks_and_the_stage() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with terminal_view(Progress("Deploying churn"), console) as view:
        view.stage("Building version 1")
        view.check(PASSED)
        view.check(FAILED)
        view.uploading(1, 2)
        view.done("churn version 1 answers")
    assert "loaded in 0.4 s" in out.getvalue()
    assert "takes <b>numbers</b> only" in out.getvalue()
    assert out.getvalue().rindex("churn version 1 answers") > out.getvalue().rindex("loaded in 0.4 s")


def test_a_log_gets_plain_lines_with_the_advice_of_what_failed() -> None:
    lines: list[str] = []
    view = LinesView("Deploying churn", lines.append)
    view.stage("Building version 1")
    view.uploading(1, 2)
    view.check(PASSED)
    view.check(FAILED)
    assert lines == [
        "Deploying churn",
        "  Building version 1",
        "  ✓ load: loaded in 0.4 s",
        "  ✗ raw-rows: takes <b>numbers</b> only",
        "    Put both\n    in one pipeline",
    ]


def test_without_a_terminal_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with showing("Deploying churn") as view:
        view.stage("Sending")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Deploying churn\n  Sending\n")


def test_a_stage_tells_its_age_once_it_takes_long() -> None:
    now = [0.0]
    progress = Progress("Deploying churn", clock=lambda: now[0])
    progress.begin("Building")
    assert progress.line == "Building …"
    now[0] = 12.3
    assert progress.line == "Building … 12 s"


def test_a_card_escapes_and_shows_metrics_and_advice() -> None:
    manifest = Manifest(
        Artifact("0" * 64, 1),
        "skops",
        trusted=True,
        schema=Schema(()),
        signature=Signature("pandas", (), "regression", "float"),
        python="3.11.7",
        metrics={"auc": 0.91234},
        description="<script>alert(1)</script>",
    )
    version = Version("churn", 2, "failed", "0" * 64, manifest, 0, "ada", (PASSED, FAILED))
    html, text = card_html(version, ""), card_text(version, "")
    assert "<script>" not in html
    assert "auc 0.9123" in html
    assert "✗ raw-rows" in text
    assert "    in one pipeline" in text
