"""Operations of a SavedModel that reach outside it: files, Python functions, other machines.

A SavedModel is a program. TensorFlow runs parts of it as it is loaded, and all of its serving
signature as it is called; so what it may do is read from ``saved_model.pb`` before that.
"""

import re
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

from edgekit_converters.base import ConversionError

_SAVER = re.compile("(Save|Restore)(V2|Slices?)?|MergeV2Checkpoints")
"""What restores the model's own variables, in the functions of its saver; elsewhere it may read any file."""

_OUTSIDE = re.compile(
    "(Eager)?PyFunc(Stateless)?"  # Python code of the process that loads it
    "|(Read|Write)File|(Experimental)?MatchingFiles(Dataset)?|FileSystemSetConfiguration"
    "|.*Reader(V2)?|Reader[A-Z].*|RecordInput|ImmutableConst"
    "|(Experimental)?(CSV|LMDB|Sql|TextLine|TFRecord|FixedLengthRecord|Cache)Dataset(V2)?"
    "|(Experimental)?DatasetToTFRecord|(Load|Save)Dataset(V2)?|.*Snapshot.*Dataset.*|DistributedSave"
    "|LoadAndRemapMatrix|GenerateVocabRemapping|InitializeTableFromTextFile(V2)?"
    "|CreateSummary(Db|File)Writer|Debug(Identity|N).*"
    "|DataService.*|Rpc.*|RemoteCall"
    "|Abort"  # ends the process
)
"""Names of operations, of the 1,337 that TensorFlow 2.20 has."""

_FILE_IN_ATTRIBUTE = {
    "PrintV2": ("output_stream", re.compile(r"(?!std|log\()(?s:.*)")),
    "DecodeProtoV2": ("descriptor_source", re.compile(r"(?!local://|bytes://)(?s:.+)")),
    "EncodeProto": ("descriptor_source", re.compile(r"(?!local://|bytes://)(?s:.+)")),
}
"""Operations that use a file only where this attribute names one."""


def refuse_outside_operations(folder: str) -> None:
    """Refuse a SavedModel with an operation that reaches outside it.

    Raises:
        ConversionError: it has one; the message names it.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((Path(folder) / "saved_model.pb").read_bytes())
    found = sorted({name for graph in saved.meta_graphs for name in _outside(graph)})
    if found:
        raise ConversionError(
            f"{folder}: this SavedModel has the operation{'s' * (len(found) > 1)} {', '.join(found)}, "
            "which can read or write files or run other code while it is loaded or called. If you trust "
            "where it comes from, load it with trust=True."
        )


def _outside(graph: Any) -> Iterator[str]:
    main, library = attrgetter("node", "library")(graph.graph_def)
    functions = library.function
    saver = _ancestors(main, (graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name))
    served = _ancestors(
        main, [t.name for s in graph.signature_def.values() for t in s.outputs.values()]
    )
    own = saver - served
    called_by_saver = {f for n in main if n.name in own for f in _called(n)}
    called_by_others = {f for n in main if n.name not in own for f in _called(n)}
    called_by_others |= {f for function in functions for n in function.node_def for f in _called(n)}
    for node in main:
        if _reaches_outside(node, in_saver=node.name in own):
            yield node.op
    for function in functions:
        name = function.signature.name
        in_saver = name in called_by_saver and name not in called_by_others
        for node in function.node_def:
            if _reaches_outside(node, in_saver=in_saver):
                yield node.op


def _reaches_outside(node: Any, *, in_saver: bool) -> bool:
    if node.op in _FILE_IN_ATTRIBUTE:
        attribute, names_a_file = _FILE_IN_ATTRIBUTE[node.op]
        text = node.attr[attribute].s.decode(errors="replace") if attribute in node.attr else ""
        return bool(text and names_a_file.fullmatch(text))
    if _SAVER.fullmatch(node.op):
        return not in_saver
    return bool(_OUTSIDE.fullmatch(node.op))


def _ancestors(nodes: Iterable[Any], tensors: Iterable[str]) -> set[str]:
    """The names of the nodes that some tensors are computed by, from the last to the first."""
    inputs = {node.name: node.input for node in nodes}
    waiting, reached = list(tensors), set[str]()
    while waiting:
        name = waiting.pop().removeprefix("^").partition(":")[0]
        if name in inputs and name not in reached:
            reached.add(name)
            waiting += inputs[name]
    return reached


def _called(node: Any) -> Iterator[str]:
    """The functions that a node calls."""
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        yield from (function.name for function in value.list.func)
