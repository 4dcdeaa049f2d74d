"""The Checks of an ONNX file before it answers: what it declares, and how columns reach it."""

from __future__ import annotations

from boucle.core.check import Check
from boucle.core.errors import shown
from boucle.core.i18n import _
from boucle.core.signature import Signature, Tensor
from boucle.packaging.graph import CannotFeed, GraphFacts


def onnx_check(facts: GraphFacts, size_bytes: int) -> Check:
    """Return the Check ``onnx`` of a file that was read and is whole."""
    opsets = [f"{domain or 'ai.onnx'} {version}" for domain, version in sorted(facts.opsets.items())]
    observed = _("{size:.1f} KB, opset {opsets}, IR {ir}; no data in other files").format(
        size=size_bytes / 1000, opsets=", ".join(opsets), ir=facts.ir_version
    )
    expected = _("a valid graph in one file, which the runtime can run")
    evidence = {"bytes": size_bytes, "opsets": opsets, "ir_version": facts.ir_version}
    return Check("onnx", "pass", observed, expected, evidence=evidence)


def signature_check(signature: Signature) -> Check:
    """Return the Check ``signature`` of a graph whose tensors are fed and whose answers were seen."""
    tensors = signature.input_tensors or ()
    told = [_fed(tensor) for tensor in tensors[:10]]
    outputs = [tensor.name[:80] for tensor in (signature.output_tensors or ())]
    observed = _("{columns} columns feed {tensors}; out come {outputs}").format(
        columns=len(signature.inputs), tensors="; ".join(told[:3]), outputs=", ".join(outputs[:5])
    )
    evidence = {
        "inputs": told,
        "outputs": outputs,
        "task": signature.task,
        "classes": len(signature.classes) if signature.classes is not None else None,
    }
    return Check("signature", "pass", observed, _expected(), evidence=evidence)


def cannot_feed_check(error: CannotFeed) -> Check:
    """Return the failed Check ``signature``."""
    return Check("signature", "fail", error.reason, _expected(), error.cure)


def nameless_check(width: int) -> Check:
    """Return the failed Check ``signature`` of probabilities whose classes nobody named."""
    return Check(
        "signature",
        "fail",
        _("the file gives {width} probabilities a row, but nothing names the classes").format(width=width),
        _expected(),
        _(
            "Deploy again with answers=model.predict(example), or export the graph with its class labels. An output "
            "of low and high bounds is named intervals."
        ),
    )


def _fed(tensor: Tensor) -> str:
    unit = f" ({tensor.unit})" if tensor.unit else ""
    return f"{tensor.name[:80]} ← {shown(list(tensor.columns))}{unit}"


def _expected() -> str:
    return _("each column feeds one tensor of its kind; one answer a row")
