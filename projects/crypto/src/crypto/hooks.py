"""What Kedro calls around a run: see that it can go before anything is fetched, and tell failures in one sentence."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from boucle.core.errors import BoucleError
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from crypto.errors import InvalidParameter, MissingStep, ProjectError
from crypto.model.parameters import read_parameters

TOLD = (ProjectError, BoucleError)  # they say what happened, with which value, and what to do
FIGURES = Path("conf/base/parameters.yaml")


class BeforeAndAfter:
    """Refuses what cannot go, and leaves out the forty lines of trace where one sentence says it all."""

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Raise InvalidParameter for a figure that is none, MissingStep for what an earlier pipeline did not leave."""
        sys.excepthook = _tell
        text = (Path(run_params["project_path"]) / FIGURES).read_text(encoding="utf-8")
        told = catalog.load("parameters")
        require_known(told, yaml.safe_load(text))
        read_parameters(told["target"], told.get(told["target"], {}), tracker=told["tracker"])
        require_left(pipeline, catalog)


def require_known(told: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise InvalidParameter for a figure that parameters.yaml does not have, or a text in place of a number.

    >>> require_known({"fetching": {"symbl": "ETH"}}, {"fetching": {"symbol": "BTC"}})
    Traceback (most recent call last):
    crypto.errors.InvalidParameter: There is no figure fetching.symbl. Did you mean fetching.symbol?
    """
    figures = dict(_flat(known))
    for name, value in _flat(told):
        if name not in figures and not any(isinstance(figures.get(above), str) for above in _above(name)):
            near = difflib.get_close_matches(name, figures, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"They are in {FIGURES}."
            raise InvalidParameter(f"There is no figure {name}. {hint}")
        if isinstance(figures.get(name), (int, float)) and isinstance(value, str):
            raise InvalidParameter(f"{name} is {value!r}, expected a value such as {figures[name]}.")


def require_left(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
    """Raise MissingStep, naming the pipeline to run first, when an input is not there."""
    for name in sorted(pipeline.inputs()):
        if not name.startswith("param") and not catalog.exists(name):
            makers = [step for step, made in pipelines.items() if name in made.all_outputs() and step != "__default__"]
            first = makers[0] if makers else "__default__"
            raise MissingStep(
                f"There is no {name} under data/: it is left by the pipeline {first}, and exporting removes it. "
                f"Run first: boucle run . --pipeline {first} (or run them all: boucle run .)"
            )


def _flat(figures: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _above(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:n]) for n in range(1, len(parts)))


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, TOLD):
        sys.stderr.write(f"{kind.__name__}: {error}\n")
    else:
        sys.__excepthook__(kind, error, trace)
