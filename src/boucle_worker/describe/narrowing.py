"""Inputs without the columns that no node takes, and without the nodes that then pick all there is."""

from __future__ import annotations

from typing import Any, Dict, List, Set

import numpy as np

from boucle_worker.describe.graph import Graph

Node = Dict[str, Any]


def narrowed(graph: Graph, nodes: List[Node], inputs: Dict[str, List[str]], kept: Set[str]) -> Dict[str, str]:
    """Take out the columns of inputs that no node picks, from ``nodes`` and ``inputs`` themselves.

    Inputs in ``kept`` stay whole: somebody counts their columns. Returns the names of the values that became the
    input itself, by the name they had.
    """
    renamed: Dict[str, str] = {}
    for name, columns in inputs.items():
        takers = [node for node in nodes if name in node["inputs"]]
        if name in kept or not takers or not all(_picks(node, name) for node in takers):
            continue
        used = sorted({int(i) for node in takers for i in graph.arrays[node["inputs"][1]]})
        inputs[name] = [columns[i] for i in used]
        for node in takers:
            places = np.searchsorted(used, graph.arrays[node["inputs"][1]]).astype(np.int64)
            if np.array_equal(places, np.arange(len(used))):
                renamed[node["outputs"][0]] = name
            else:
                node["inputs"] = [name, graph.constant(places).name]
    nodes[:] = [_renamed(node, renamed) for node in nodes if node["outputs"][0] not in renamed]
    return renamed


def _picks(node: Node, name: str) -> bool:
    is_gather = node["op"] == "Gather" and node["attributes"].get("axis") == 1
    return bool(is_gather and node["inputs"][0] == name and node["inputs"][1] != name)


def _renamed(node: Node, renamed: Dict[str, str]) -> Node:
    return {**node, "inputs": [renamed.get(name, name) for name in node["inputs"]]}
