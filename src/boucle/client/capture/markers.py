"""Environment markers of requirements (PEP 508), judged for this interpreter.

A small reader of our own: the grammar is that of Python's comparisons, and ``packaging`` is not a dependency of a
notebook. What it cannot read counts as true: the distribution in question is installed here, so its pin does no harm.
"""

from __future__ import annotations

import ast
import os
import platform
import re
import sys
from functools import lru_cache
from typing import Any, Callable

_VERSIONS = ("python_version", "python_full_version", "implementation_version")
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: lambda a, b: bool(a == b),
    ast.NotEq: lambda a, b: bool(a != b),
    ast.Lt: lambda a, b: bool(a < b),
    ast.LtE: lambda a, b: bool(a <= b),
    ast.Gt: lambda a, b: bool(a > b),
    ast.GtE: lambda a, b: bool(a >= b),
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


def holds(marker: str, extra: str = "") -> bool:
    """Return whether a marker holds here, for one extra (empty for none).

    >>> holds("python_version >= '3.9' and extra == 'cpu'"), holds("python_version < '3'")
    (False, False)
    >>> holds("python_version >= '3.10' and extra == 'cpu'", "cpu") is holds("python_version >= '3.10'")
    True
    """
    try:
        return bool(_value(_parsed(marker.strip()), {**_environment(), "extra": extra}))
    except (SyntaxError, ValueError, TypeError, KeyError):
        return True


@lru_cache(maxsize=512)
def _parsed(marker: str) -> ast.expr:
    return ast.parse(marker, mode="eval").body


def _value(node: ast.expr, environment: dict[str, str]) -> Any:
    if isinstance(node, ast.BoolOp):
        parts = (_value(part, environment) for part in node.values)
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = (_value(side, environment) for side in (node.left, node.comparators[0]))
        if any(isinstance(side, ast.Name) and side.id in _VERSIONS for side in (node.left, node.comparators[0])):
            return _versions(type(node.ops[0]), left, right)
        return _COMPARE[type(node.ops[0])](left, right)
    if isinstance(node, ast.Name):
        return environment[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise ValueError(ast.dump(node))


def _versions(operator: type[ast.cmpop], left: str, right: str) -> bool:
    if operator in (ast.In, ast.NotIn):
        return _COMPARE[operator](left, right)
    if right.endswith(".*"):
        prefix = right[:-1]
        return (left + ".").startswith(prefix) is (operator is ast.Eq)
    a, b = _numbers(left), _numbers(right)
    width = max(len(a), len(b))
    return _COMPARE[operator](a + (0,) * (width - len(a)), b + (0,) * (width - len(b)))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


@lru_cache(maxsize=1)
def _environment() -> dict[str, str]:
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": platform.python_version(),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }
