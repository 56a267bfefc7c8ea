"""Files for old runtimes: which formats and opset they take, and which files a version does not run."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import OptionError, nearest
from edgekit.workflows.candidates import MICRO
from edgekit_converters import FORMATS, ConversionError, Target, all_formats
from edgekit_runtimes import ModelError, open_model
from edgekit_runtimes.arrays import random_inputs
from edgekit_runtimes.formats.compatibility import SUFFIXES, TITLES, newest_opset, obstacles
from edgekit_runtimes.formats.least_versions import ONNX_RUNTIME

_WRITTEN = re.compile(r"([\w-]+)\s*==\s*v?(\d+(?:\.\d+)*)")
_ALIASES = {
    "ai-edge-litert": "litert",
    "ai_edge_litert": "litert",
    "tflite-runtime": "tflite",
    "tflite_runtime": "tflite",
    "tensorflow": "tflite",
    "ort": "onnxruntime",
}
_OLDEST_OPSET = 13  # that is written


def read_runtimes(named: Sequence[str]) -> dict[str, str]:
    """Read ``litert==1.4``: the version of each runtime that is to run the files.

    >>> read_runtimes(["litert==1.4", "onnxruntime==1.17"])
    {'litert': '1.4', 'onnxruntime': '1.17'}

    Raises:
        OptionError: it is written otherwise, or names no runtime that there is.
    """
    versions = {}
    for text in named:
        match = _WRITTEN.fullmatch(text.strip())
        if match is None:
            raise OptionError(
                f"for_={text!r}: a runtime and a version is wanted, as litert==1.4 or onnxruntime==1.17."
            )
        name = _ALIASES.get(match[1].lower(), match[1].lower())
        if name not in TITLES:
            raise OptionError(
                f"for_={text!r}: no runtime {match[1]!r}{nearest(name, TITLES)}: choose from "
                f"{', '.join(TITLES)}."
            )
        versions[name] = match[2]
    return versions


def fitted(chosen: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the formats and the opset that the runtimes of ``for_`` take.

    Args:
        chosen: all options, ``for_`` among them.
        given: those that the caller gave; what is given stays.

    Raises:
        OptionError: ``for_`` is written otherwise.
        ConversionError: a version runs nothing that edgekit writes, or not the opset that was given.
    """
    versions = read_runtimes(chosen["for_"])
    if not versions:
        return chosen
    suffixes = {SUFFIXES[name] for name in versions}
    if "to" in given:
        if idle := [
            f"{name}=={version}"
            for name, version in versions.items()
            if not any(all_formats()[form].suffix == SUFFIXES[name] for form in chosen["to"])
        ]:
            raise OptionError(
                f"for_={','.join(idle)!r}: runs no {' and '.join(chosen['to'])} files, and none others are "
                "to be written. Name its format too, or leave it out."
            )
    else:
        chosen = chosen | {"to": tuple(n for n, f in FORMATS.items() if f.suffix in suffixes)}
    if ONNX_RUNTIME in versions:
        opset = newest_opset(versions[ONNX_RUNTIME], chosen["opset"])
        if opset is None or opset < _OLDEST_OPSET:
            raise ConversionError(
                f"ONNX Runtime {versions[ONNX_RUNTIME]} opens no file of opset {_OLDEST_OPSET}, and edgekit "
                "writes none older. It takes 1.7 or later."
            )
        if "opset" in given and opset < chosen["opset"]:
            raise ConversionError(
                f"opset {chosen['opset']}: ONNX Runtime {versions[ONNX_RUNTIME]} opens {opset} and older "
                "ones. Leave opset out, and the newest that it opens is written."
            )
        chosen = chosen | {"opset": opset}
    return chosen


def unfit(paths: Mapping[Target, Path], named: Sequence[str]) -> dict[Target, str]:
    """Return why files do not run in the runtimes that are named; those that run are left out.

    Args:
        paths: the files.
        named: the runtimes, as for ``read_runtimes``.
    """
    reasons = {}
    for target, path in paths.items():
        found = [
            obstacle
            for runtime, version in read_runtimes(named).items()
            if SUFFIXES[runtime] == path.suffix
            for obstacle in obstacles(path, runtime, version)
        ]
        if found:
            reasons[target] = f"it has {'; '.join(found)}."
    return reasons


def micro_refusals(paths: Mapping[Target, Path]) -> dict[Target, str]:
    """Return why those of the files that are for microcontrollers do not run in their kernels."""
    reasons = {}
    for target, path in paths.items():
        if target[0] != MICRO:
            continue
        try:
            with open_model(path, device=MICRO) as session:
                session.run(random_inputs(session.inputs, {}))
        except ModelError as error:
            reasons[target] = str(error)
    return reasons


def refuse_all(reasons: Mapping[Target, str], paths: Mapping[Target, Path]) -> None:
    """Refuse a conversion of which no file runs.

    Raises:
        ConversionError: there is none; it says of each what is in the way.
    """
    if len(reasons) == len(paths):
        told = " ".join(f"{paths[target].name}: {reason}" for target, reason in reasons.items())
        raise ConversionError(
            f"no file runs in what it is for. {told} Choose another precision or a newer version."
        )
