"""Which columns feed which tensor of an ONNX graph that answers once for a window of rows.

Its tensors have the shape ``(windows, rows)``, fed by one column, or ``(windows, rows, columns)``. Rules, the first
that applies:

1. the notebook told which columns fill a tensor, and in which unit dates count;
2. a tensor that bears the name of a column takes that column, and the one tensor left the columns left, in their
   order. The columns that put rows in order and in groups need not be fed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from boucle.core.errors import shown
from boucle.core.i18n import _
from boucle.core.signature import Input, Signature, Tensor
from boucle.core.window import Window
from boucle.packaging.graph import (
    CannotFeed,
    GraphFacts,
    fits,
    listed,
    plain,
    require_dtype,
    require_width,
    shape_of,
    told,
    with_tensors,
)

_ONE_COLUMN, _MANY_COLUMNS = 2, 3  # axes


def fed_windows(signature: Signature, facts: GraphFacts, window: Window) -> Signature:
    """Return the signature with its tensors, each input tensor with its columns and the rows of the window.

    Raises CannotFeed saying which tensor or column does not fit.
    """
    for tensor in facts.inputs:
        _require_windows(tensor, window)
        require_dtype(tensor)
    tensors = _all_fed(signature, facts, window)
    for tensor in tensors:
        require_width(tensor, _width(tensor))
    return with_tensors(signature, facts, tuple(_of_rows(tensor, window) for tensor in tensors))


def _require_windows(tensor: Tensor, window: Window) -> None:
    if not _ONE_COLUMN <= len(tensor.shape) <= _MANY_COLUMNS:
        raise CannotFeed(
            _(
                "input {name} has the shape {shape}; windows fill tensors of shape (windows, {rows}) or "
                "(windows, {rows}, columns)"
            ).format(name=shown(tensor.name), shape=shape_of(tensor), rows=window.rows),
            _("Export the graph so that it takes one window of rows per answer."),
        )
    if tensor.shape[0] is not None:
        raise CannotFeed(
            _("input {name} takes exactly {n} window(s)").format(name=shown(tensor.name), n=tensor.shape[0]),
            _("Export the graph with a free first axis, so that requests of any number of windows can be answered."),
        )
    if tensor.shape[1] not in (window.rows, None):
        raise CannotFeed(
            _("input {name} takes {found} rows a window, the schema says {rows}").format(
                name=shown(tensor.name), found=tensor.shape[1], rows=window.rows
            ),
            _(
                'Deploy again with window={{"rows": {found}, …}}, or export the graph for windows of {rows} rows.'
            ).format(found=tensor.shape[1], rows=window.rows),
        )


def _all_fed(signature: Signature, facts: GraphFacts, window: Window) -> list[Tensor]:
    """Return the tensors with their columns: as told, and of the others by name or what is left."""
    named = {tensor.name: tensor for tensor in told(signature, facts, of_all=False)}
    others = [tensor for tensor in facts.inputs if tensor.name not in named]
    if others:
        taken = {name for tensor in named.values() for name in tensor.columns}
        left = [item for item in signature.inputs if item.name not in taken]
        named.update({tensor.name: tensor for tensor in _mapped(left, others, window)})
    return [named[tensor.name] for tensor in facts.inputs]


def _mapped(inputs: Sequence[Input], tensors: Sequence[Tensor], window: Window) -> tuple[Tensor, ...]:
    by_name = {plain(item.name): item for item in inputs}
    named: dict[str, tuple[str, ...]] = {
        tensor.name: (by_name[plain(tensor.name)].name,)
        for tensor in tensors
        if plain(tensor.name) in by_name and _width(tensor) in (1, None)
    }
    taken = {name for names in named.values() for name in names}
    left = [item for item in inputs if item.name not in taken]
    free = [tensor for tensor in tensors if tensor.name not in named]
    if len(free) == 1:
        columns = _fitting(free[0], left, window)
        named[free[0].name] = columns
        left = [item for item in left if item.name not in columns]
    strangers = [item.name for item in left if item.name not in (window.order_by, window.group_by)]
    if len(free) > 1 or strangers or not all(named.values()):
        raise CannotFeed(
            _("the {n} columns of the example ({columns}) do not fit the inputs of the file: {tensors}").format(
                n=len(inputs), columns=shown([item.name for item in inputs]), tensors=listed(tensors)
            ),
            _("Say which columns feed which input: {code}").format(code=_code(tensors)),
        )
    return tuple(replace(tensor, columns=named[tensor.name]) for tensor in tensors)


def _fitting(tensor: Tensor, left: Sequence[Input], window: Window) -> tuple[str, ...]:
    """Return the columns left that a tensor takes: all of them, or less those that only order and group rows.

    Where none fits by number and kind, the first that fits by number, so that the message names the column.
    """
    spare = (window.group_by, window.order_by)
    choices = [
        left,
        [item for item in left if item.name != window.group_by],
        [item for item in left if item.name != window.order_by],
        [item for item in left if item.name not in spare],
    ]
    wide = [choice for choice in choices if choice and _width(tensor) in (len(choice), None)]
    whole = [choice for choice in wide if all(fits(tensor, item) for item in choice)]
    return tuple(item.name for item in next(iter([*whole, *wide]), ()))


def _of_rows(tensor: Tensor, window: Window) -> Tensor:
    """Return the tensor with the sizes that its file left free: the rows of a window, the number of columns."""
    if len(tensor.shape) == _ONE_COLUMN:
        return replace(tensor, shape=(None, window.rows))
    return replace(tensor, shape=(None, window.rows, len(tensor.columns)))


def _width(tensor: Tensor) -> int | None:
    """Return how many columns fill a tensor of windows; None when that axis is free."""
    return 1 if len(tensor.shape) == _ONE_COLUMN else tensor.shape[2]


def _code(tensors: Sequence[Tensor]) -> str:
    return "tensors={" + ", ".join(f'"{tensor.name[:80]}": ["…"]' for tensor in tensors[:5]) + "}"
