"""The targets whose compilers make a file of a file: Ethos-U, Qualcomm's and Intel's NPUs."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgekit.bundle.folder import write_json
from edgekit.targets.info import write_info
from edgekit.targets.job import ExportJob
from edgekit.targets.rendering import render
from edgekit_converters.targets.compiled import NEVER_RUN, Compile, Compiled
from edgekit_converters.targets.inspection import Inspection

PLACEMENT = "placement.json"


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler of a family of chips."""

    family: str
    """Of which the README speaks: ``ethos-u``, ``qualcomm`` or ``openvino``."""
    compile: Compile
    tools: tuple[str, ...]
    """The distributions whose versions decide what it makes."""
    suffix: str = ""
    """Of compiled files; empty where they keep that of the original."""


def write_compiled(
    compiler: Compiler, chips: Sequence[str], job: ExportJob, folder: Path
) -> list[str]:
    """Write the compiled files, what their compiler says of them, the golden samples and a README.

    Args:
        compiler: of the chips.
        chips: as it names them; each file is compiled for each.
        job: what is exported.
        folder: an empty one.

    Returns:
        Where the operators run, what the compiler estimates, and what to change, in a line each.

    Raises:
        TargetError: the compiler refuses a file.
    """
    files = []
    for entry in job.files:
        original = Path(entry.file)
        for chip in chips:
            name = f"{original.stem}_{chip}{compiler.suffix or original.suffix}"
            # Beside the folder, for what is made is renamed into it.
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                compiled = compiler.compile(
                    job.folder / original, folder / name, chip, scratch=Path(scratch)
                )
            files.append(_plain(entry.file, name, compiled))
    golden = write_info(job, folder)
    tools = {tool: version(tool) for tool in compiler.tools}
    write_json(folder / PLACEMENT, {"tested": NEVER_RUN, "compiled_by": tools, "files": files})
    values = {
        "title": job.title,
        "family": compiler.family,
        "files": files,
        "tools": tools,
        "never_run": NEVER_RUN,
        "samples": golden["samples"] if golden else 0,
    }
    render("compiled", folder, values)
    return [line for one in files for line in _lines(one)] + [f"{NEVER_RUN}: see README.md"]


def inspect_compiled(compiler: Compiler, chip: str, path: Path) -> Inspection:
    """Compile a file and keep nothing but what there is to say of it.

    Raises:
        TargetError: the compiler refuses it.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        made = Path(folder, f"made{compiler.suffix or path.suffix}")
        scratch = Path(folder, "scratch")
        scratch.mkdir()
        compiled: Compiled = compiler.compile(path, made, chip, scratch=scratch)
        return compiled.inspection


def _plain(original: str, name: str, compiled: Compiled) -> dict[str, Any]:
    inspection = compiled.inspection
    return {
        "file": name,
        "compiled_from": original,
        "chip": compiled.chip,
        "on_npu": inspection.placed,
        "operators": inspection.total,
        "figures": [asdict(figure) for figure in compiled.figures],
        "advice": list(compiled.advice),
        "on_cpu": [asdict(one) for one in inspection.operators if one.runs_on == "CPU"],
        "placement": [asdict(operator) for operator in compiled.operators],
    }


def _lines(file: dict[str, Any]) -> list[str]:
    figures = ", ".join(
        f"{figure['name']} {figure['value']:,.6g} {figure['unit']}" for figure in file["figures"]
    )
    estimated = any("estimate" in figure["note"] for figure in file["figures"])
    return [
        f"{file['file']}: {file['on_npu']} of {file['operators']} operators on the NPU",
        f"  {figures}{' (estimates)' if estimated else ''}",
        *(f"  change: {advice}" for advice in file["advice"]),
    ]
