"""The clients, and what each answers: a process for each, in its own environment."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.environments import NODE, python
from clients.files import PRECISIONS, Array, load

HERE = Path(__file__).parent
NPU = "ethos-u55-128"


@dataclass(frozen=True, slots=True)
class Client:
    """A program that takes edgekit's files."""

    name: str
    program: str
    """A file of this folder; it speaks as ``protocol.py`` says."""
    suffix: str
    """Of the files that it takes."""
    environment: str | None = None
    """None: edgekit's own."""
    precisions: Sequence[str] = PRECISIONS
    title: str = ""
    """What it is, where the versions do not say so."""

    @property
    def command(self) -> list[str | Path]:
        """What runs it."""
        if self.program.endswith(".mjs"):
            return ["node", HERE / self.program, self.name]
        own = sys.executable if self.environment is None else python(self.environment)
        return [own, HERE / self.program]

    @property
    def installed(self) -> bool:
        """Whether its environment is there."""
        if self.program.endswith(".mjs"):
            return (NODE / "holds").exists()
        return self.environment is None or python(self.environment).exists()


CLIENTS = (
    Client("tflite-runtime", "run_tflite.py", ".tflite", "tflite-runtime"),
    Client("litert-oldest", "run_tflite.py", ".tflite", "litert-oldest"),
    Client("litert-floor", "run_tflite.py", ".tflite", "litert-floor"),
    Client("litert", "run_tflite.py", ".tflite"),
    Client("vela", "run_vela.py", ".tflite", "vela", ("int8",)),
    Client("onnx", "run_reference.py", ".onnx", title="checker; reference evaluator in opset 19"),
    Client("onnxruntime-oldest", "run_onnxruntime.py", ".onnx", "onnxruntime-oldest"),
    Client("onnxruntime-floor", "run_onnxruntime.py", ".onnx", "onnxruntime-floor"),
    Client("onnxruntime", "run_onnxruntime.py", ".onnx"),
    Client("onnxruntime-node", "run_node.mjs", ".onnx"),
    Client("onnxruntime-web", "run_node.mjs", ".onnx", title="WebAssembly"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client says of one file."""

    error: str = ""
    """Why it failed."""
    outputs: Sequence[Array] = ()
    on_cpu: Sequence[str] | None = None
    """The operators that a compiler leaves to the processor; None: the client is no compiler."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a client says of all files."""

    versions: dict[str, str] = field(default_factory=dict)
    files: dict[tuple[str, str], Answer] = field(default_factory=dict)
    """By the names of a model's folder and of a precision."""


def ask(client: Client, files: Path, results: Path) -> Answers:
    """Runs a client on all of its files; where its process dies, on the rest in another."""
    cases = json.loads((files / "cases.json").read_text())
    wanted = {
        f"{case}/model_{precision}{client.suffix}": (case, precision)
        for case in cases
        for precision in client.precisions
    }
    results.mkdir(parents=True)
    lines = results / "results.jsonl"
    variables = {**os.environ, "CLIENTS_NODE": str(NODE), "CLIENTS_NPU": NPU}
    answers = Answers()
    while waiting := [name for name, key in wanted.items() if key not in answers.files]:
        command = [*client.command, files / "cases.json", lines, *waiting]
        lines.write_text("")
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        begun = ""
        for line in map(json.loads, lines.read_text().splitlines()):
            begun = line.get("begins", begun)
            answers.versions.update(line.get("versions", {}))
            if "file" in line:
                answers.files[wanted[line["file"]]] = _answer(line, results)
        if done.returncode:
            assert begun and wanted[begun] not in answers.files, done.stderr[-2000:]
            answers.files[wanted[begun]] = Answer(f"the process ended with {done.returncode}")
    return answers


def _answer(line: dict[str, Any], results: Path) -> Answer:
    if "error" in line:
        return Answer(error=line["error"])
    if "on_cpu" in line:
        return Answer(on_cpu=line["on_cpu"])
    return Answer(outputs=load(results / line["file"].replace(".", "_")))


def installed_clients() -> Iterator[Client]:
    """Those whose environment is there."""
    return (client for client in CLIENTS if client.installed)
