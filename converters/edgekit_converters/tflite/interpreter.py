"""LiteRT's plain interpreter, in which every tensor of a graph can be read after a call."""

from pathlib import Path
from typing import Any


def open_interpreter(graph: Path | bytes, threads: int | None = None) -> Any:
    """Open a TFLite file, by path or content; its tensors are not allocated yet.

    XNNPACK is left out: it hides the tensors between the operators that it takes.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    return Interpreter(
        model_path=str(graph) if isinstance(graph, Path) else None,
        model_content=None if isinstance(graph, Path) else graph,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
        num_threads=threads,
    )
