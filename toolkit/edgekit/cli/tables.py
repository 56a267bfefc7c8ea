"""Devices, placements and timings, as a person reads them and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.bundle.environment import processor
from edgekit.bundle.packages import missing as missing_packages
from edgekit.inference.benchmark import Timing
from edgekit.inference.runtime_faults import runtime_faults
from edgekit.report.columns import size
from edgekit.targets.table import TARGETS
from edgekit_converters import all_formats
from edgekit_runtimes import DEVICES, FILES, Placement, TensorSpec, cpu_limit
from edgekit_runtimes.base import EXTRA
from edgekit_runtimes.formats.compatibility import TITLES
from edgekit_runtimes.formats.known_faults import installed_faults
from edgekit_runtimes.formats.least_versions import least_versions


def devices_json() -> dict[str, Any]:
    """The processor, and every device with what it lacks here."""
    return {
        "processor": {**asdict(processor()), "usable": cpu_limit()},
        "devices": [
            {
                "name": device.name,
                "kind": device.kind,
                "opens": list(device.suffixes),
                "runtime": device.runtime,
                "missing": str(missing) if (missing := device.missing()) else None,
                "add": device.add,
                "note": device.note,
                "simulated": device.simulated,
            }
            for device in DEVICES
        ],
        "targets": [
            {
                "name": name,
                "family": target.family,
                "writes": target.what,
                "runs": list(target.formats),
                "note": target.note,
                "missing": ", ".join(missing_packages(target.modules)) or None,
                "add": EXTRA.format(target.extra) if target.extra else None,
            }
            for name, target in TARGETS.items()
        ],
        "known_faults": list(map(str, installed_faults())),
    }


def devices_table(listed: dict[str, Any]) -> RenderableType:
    """What ``devices_json`` gives, ready devices first."""
    chip = listed["processor"]
    head = f"{chip['name']} ({chip['architecture']}), {chip['usable']} usable"
    if chip["instruction_sets"]:
        head += f": {', '.join(chip['instruction_sets'])}"
    ready = [d for d in listed["devices"] if d["missing"] is None]
    table = _table("ready", "kind", "opens", "by", "")
    for device in ready:
        note = device["note"] + (", simulator" if device["simulated"] else "")
        table.add_row(
            device["name"],
            device["kind"],
            " ".join(device["opens"]),
            device["runtime"],
            note.removeprefix(", "),
        )
    targets = _table("target", "edgekit export writes", "runs", "")
    for names, target in _families(listed["targets"]):
        suffixes = " ".join(dict.fromkeys(all_formats()[form].suffix for form in target["runs"]))
        lacks = f"lacks {target['missing']}: {target['add']}" if target["missing"] else ""
        note = "; ".join(filter(None, [target["note"], lacks]))
        targets.add_row(", ".join(names), target["writes"], suffixes, note)
    lacking: list[RenderableType] = []
    for device in listed["devices"]:
        if device["missing"] is not None:
            name = Text.assemble((device["name"], "bold"), f" ({' '.join(device['opens'])}): ")
            note = f" ({device['note']})" if device["note"] else ""
            lacking.append(Text.assemble(name, device["missing"]))
            lacking.append(Text(f"    {device['add']}{note}", style="dim"))
    return Group(
        Text(head, style="bold"),
        Text(),
        table,
        Text(),
        Text("not ready, and how to add it", style="bold"),
        *lacking,
        Text(),
        targets,
        Text(),
        *_faults("known to compute wrongly", listed["known_faults"]),
        Text(
            "--device and open_model(path, device=...) take a name, or cpu, gpu, npu for the first of "
            "that kind that is ready, or auto for the fastest with correct outputs."
        ),
    )


def _families(targets: Sequence[dict[str, Any]]) -> list[tuple[list[str], dict[str, Any]]]:
    """The targets, those of one family under one entry with all their names."""
    families: dict[str, list[dict[str, Any]]] = {}
    for target in targets:
        families.setdefault(target["family"] or target["name"], []).append(target)
    return [([member["name"] for member in members], members[0]) for members in families.values()]


def placement_json(
    path: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    placement: Placement,
) -> dict[str, Any]:
    """Where a model runs, as plain values."""
    return {
        "file": path,
        "bytes": Path(path).stat().st_size,
        "inputs": [asdict(spec) for spec in inputs],
        "outputs": [asdict(spec) for spec in outputs],
        "device": placement.device,
        "processor": placement.processor,
        "simulated": placement.simulated,
        "accelerator": placement.accelerator,
        "delegated": placement.delegated,
        "delegated_fraction": placement.delegated_fraction,
        "partitions": placement.partitions,
        "macs": placement.macs,
        "int8_operators": placement.int8_operators,
        "int8_macs": placement.int8_macs,
        "reasons": dict(placement.reasons),
        "notes": list(placement.notes),
        "least_versions": _least_versions(path),
        "known_faults": runtime_faults(Path(path), placement.device),
        "operators": [asdict(op) for op in placement.operators],
    }


def placement_table(
    path: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    placement: Placement,
) -> RenderableType:
    """The operators by the processor that runs them, and their precision."""
    table = _table("runs on", "operator", "precision", ">count", ">MACs")
    for (runs_on, kind, precision), (number, macs) in placement.counts().items():
        share = f"{macs / placement.macs:.1%}" if macs else ""
        table.add_row(runs_on, kind, precision, str(number), share)
    return Group(
        Text(f"{path}, {size(Path(path).stat().st_size)}", style="bold"),
        *(Text(f"  input {_end(spec)}") for spec in inputs),
        *(Text(f"  output {_end(spec)}") for spec in outputs),
        Text(),
        table,
        Text(),
        *map(Text, _summary(placement)),
        *(Text(f"runs from {_sentence(least)} on") for least in [_least_versions(path)] if least),
        *_faults("", runtime_faults(Path(path), placement.device)),
    )


def _least_versions(path: str) -> dict[str, str]:
    """The least versions of the runtimes that run a file; none for kinds that do not say it."""
    return least_versions(Path(path)) if Path(path).suffix in FILES else {}


def _sentence(least: dict[str, str]) -> str:
    return " or ".join(f"{title} {least[name]}" for name, title in TITLES.items() if name in least)


def _faults(title: str, sentences: Sequence[str]) -> list[RenderableType]:
    if not sentences:
        return []
    head = [Text(title, style="bold")] if title else []
    return [*head, *(Text(sentence, style="yellow") for sentence in sentences), Text()]


def timing_table(timings: Sequence[Timing]) -> RenderableType:
    """Timings, each compared with the first."""
    timed = [t for t in timings if t.error is None]
    threaded = any(t.threads != 1 for t in timed)
    table = _table(
        "file",
        "device",
        *([">thr"] if threaded else []),
        *(">load\nms", ">first\nms", ">p50\nms", ">p90\nms", ">p99\nms"),
        *(">per\nsecond", ">peak\nMiB", ">of\nfirst"),
        gap=1,
    )
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    names = dict(
        zip((t.file for t in timings), _short_names([t.file for t in timings]), strict=True)
    )
    for timing in timed:
        times = (timing.first_call_ms, timing.p50_ms, timing.p90_ms, timing.p99_ms)
        table.add_row(
            names[timing.file],
            timing.device + ("*" if timing.simulated else ""),
            *([str(timing.threads)] if threaded else []),
            f"{timing.load_ms:.0f}",
            *(f"{t:.3g}" for t in times),
            f"{timing.samples_per_second:.0f}",
            f"{timing.peak_memory_mib:.0f}",
            f"{timing.p50_ms / timed[0].p50_ms:.2f}x",
            style="dim" if timing.simulated else None,
        )
    words = [
        Text(f"{names[t.file]} on {t.device}: {t.error}", style="yellow")
        for t in timings
        if t.error is not None
    ]
    if any(t.simulated for t in timed):
        words.append(Text("* simulated: timing says nothing about the device"))
    return Group(*([table] if timed else []), *([Text(), *words] if words else []))


def _summary(placement: Placement) -> Iterator[str]:
    simulated = ", simulated: timing says nothing" if placement.simulated else ""
    pieces = f"{placement.partitions} partition{'' if placement.partitions == 1 else 's'}"
    yield f"device: {placement.device}, {placement.processor}{simulated}"
    yield (
        f"{placement.accelerator} runs {placement.delegated} of {len(placement.operators)} operators "
        f"({placement.delegated_fraction:.0%}) in {pieces}"
    )
    eighth = f"{placement.int8_operators:.0%} of the operators"
    if placement.int8_macs is not None:
        eighth += f", {placement.int8_macs:.0%} of {placement.macs:,} multiply-adds"
    yield f"in 8-bit integers: {eighth}"
    for kind, reason in placement.reasons.items():
        yield f"on the CPU: {kind}: {reason}"
    yield from placement.notes


def _end(spec: TensorSpec) -> str:
    scale = "" if spec.scale is None else f", scale {spec.scale:.6g}, zero point {spec.zero_point}"
    return f"{spec}{scale}"


def _short_names(paths: Sequence[str]) -> list[str]:
    """Paths without the folders that they all share."""
    several = len({Path(p).name for p in paths}) < len(set(paths))
    return [str(Path(*Path(p).parts[-2:])) if several else Path(p).name for p in paths]


def _table(*columns: str, gap: int = 2) -> Table:
    """A table without lines; a column whose title starts with > is a number's."""
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for title in columns:
        number = title.startswith(">")
        table.add_column(
            title.removeprefix(">"), justify="right" if number else "left", no_wrap=number
        )
    return table
