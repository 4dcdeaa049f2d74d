"""The limits of size: short functions, short files, few parameters, no cycle of imports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ROOT.glob("projects/*/src") for path in folder.rglob("*.py"))
SOURCES = sorted((ROOT / "src").rglob("*.py")) + SOURCES
MAX_FUNCTION_LINES, MAX_FILE_LINES, MAX_PARAMETERS = 60, 400, 5
# Public signatures that the design fixes: keyword arguments that people read in a notebook.
FIXED = {("deploy.py", "deploy"), ("client.py", "report")}


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def n_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([argument for argument in named if argument.arg not in {"self", "cls"}])


def is_command(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Commands have one parameter for each option that a person can give, declared by its default."""
    return path.parent.name == "cli" and not function.name.startswith("_") and bool(function.args.defaults)


def test_the_sources_are_found() -> None:
    assert len(SOURCES) > 40
    assert any("projects" in path.parts for path in SOURCES)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_short_and_so_are_its_functions(path: Path) -> None:
    too_long = [f"{f.name}: {body_lines(f)} lines" for f in functions(path) if body_lines(f) > MAX_FUNCTION_LINES]
    too_wide = [
        f"{f.name}: {n_parameters(f)} parameters"
        for f in functions(path)
        if n_parameters(f) > MAX_PARAMETERS and not is_command(path, f) and (path.name, f.name) not in FIXED
    ]
    n_lines = path.read_text(encoding="utf-8").count("\n")
    assert (too_long, too_wide, max(n_lines - MAX_FILE_LINES, 0)) == ([], [], 0)
