"""The tables of docs/clients.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from support.zoo import SMALL

from clients.files import slug
from clients.judgement import cell, fault
from clients.known import reason
from clients.programs import CLIENTS, Answers, Client

FORMATS = {".tflite": "TFLite", ".onnx": "ONNX"}
MARK = "<!-- made by make test-clients: {} -->"


@dataclass(frozen=True, slots=True)
class TrainedRow:
    """A trained model's int8 files, by who wrote them: ``tflite`` and ``onnx``, and ``peer`` for TFLiteConverter.

    Attributes:
        name: the model and its package.
        decibels: of each output.
        sizes: in bytes.
        right: the share of right answers, Keras' own under ``keras``; empty where none are known.
        without_peer: why there is no file of TFLiteConverter's.
    """

    name: str
    decibels: Mapping[str, tuple[float, ...]]
    sizes: Mapping[str, int]
    right: Mapping[str, float]
    without_peer: str


def write_tables(page: Path, files: Path, answers: Mapping[str, Answers]) -> None:
    """Replaces the tables of a page, each behind its mark and up to the next heading."""
    for suffix, title in FORMATS.items():
        asked = [c for c in CLIENTS if c.suffix == suffix and c.name in answers]
        lines = [*_table(asked, files, answers), "", *_faults(asked, files, answers)]
        _replace(page, title, lines)


def write_trained(page: Path, rows: list[TrainedRow]) -> None:
    """Replaces the table of trained models."""
    heads = ["model", "edgekit TFLite", "edgekit ONNX", "TFLiteConverter"]
    heads += ["KB", "right answers, Keras first"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in rows:
        cells = [row.name]
        for form in ("tflite", "onnx", "peer"):
            written = ", ".join(f"{score:.1f}" for score in row.decibels.get(form, ()))
            cells.append(written or row.without_peer)
        cells.append(", ".join(f"{size / 1000:.0f}" for size in row.sizes.values()))
        cells.append(", ".join(f"{share:.1%}" for share in row.right.values()))
        lines.append(f"| {' | '.join(cells)} |")
    _replace(page, "trained", lines)


def _replace(page: Path, title: str, lines: list[str]) -> None:
    """Writes lines behind the mark of this title, in place of all up to the next heading."""
    before, mark, after = page.read_text().partition(MARK.format(title) + "\n")
    assert mark, f"{page} has no {MARK.format(title)}"
    rest = after[after.index("\n## ") :] if "\n## " in after else ""
    page.write_text(before + mark + "\n".join(lines).rstrip() + "\n" + rest)


def heading(client: Client, answers: Answers) -> str:
    """A column's: the client and its versions."""
    versions = ", ".join(f"{name} {version}" for name, version in answers.versions.items())
    return f"{versions} ({client.title})" if client.title else versions


def _table(asked: list[Client], files: Path, answers: Mapping[str, Answers]) -> list[str]:
    heads = ["model", *(heading(client, answers[client.name]) for client in asked)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name in SMALL:
        cells = [
            " / ".join(
                cell(
                    answers[client.name].files[slug(name), precision],
                    files / slug(name),
                    f"model_{precision}{client.suffix}",
                )
                for precision in client.precisions
            )
            for client in asked
        ]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return lines


def _faults(asked: list[Client], files: Path, answers: Mapping[str, Answers]) -> list[str]:
    found: dict[tuple[str, str], list[str]] = {}
    for client in asked:
        answered = answers[client.name]
        for name in SMALL:
            for precision in client.precisions:
                answer = answered.files[slug(name), precision]
                file = f"model_{precision}{client.suffix}"
                if wrong := fault(answer, files / slug(name), file):
                    why = reason(answered.versions, files / slug(name) / file) or wrong
                    found.setdefault((heading(client, answered), why), []).append(
                        f"{name} in {precision}"
                    )
    return [f"- {client}: {why}: {'; '.join(names)}." for (client, why), names in found.items()]
