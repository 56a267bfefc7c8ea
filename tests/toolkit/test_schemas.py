"""The JSON Schemas that ship, and the documents that edgekit writes."""

import json
from pathlib import Path

import jsonschema
import pytest
from support.json_schema import FOLDER, SCHEMAS, text

import edgekit

REPORT = "report.schema.json"


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_what_the_dataclasses_say(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")

    assert written == text(SCHEMAS[name]()), "PYTHONPATH=tests python -m support.json_schema"


def test_every_schema_that_ships_is_generated() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads((FOLDER / name).read_text()))


def test_the_report_of_a_conversion_follows_its_schema(converted: Path) -> None:
    check(json.loads((converted / "report.json").read_text()), REPORT)


def test_the_report_of_a_validation_follows_its_schema(digits: Path, converted: Path) -> None:
    """With everything that a report can have: layers, error sources, changed samples, limits."""
    report = edgekit.validate(
        converted / "model_float32.tflite",
        [converted / "model_int8.tflite", converted / "model_float32.tflite"],
        digits / "eval.npz",
        per_layer=True,
        metrics=["f1"],
    )
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))

    check(document, REPORT)
    assert document["files"][0]["layers"]
    assert document["files"][0]["error_sources"]["quantization_db"] > 20
    assert document["files"][1]["results"][0]["sqnr_db"] is None, "equal: infinite"


def test_the_manifest_of_a_conversion_follows_its_schema(converted: Path) -> None:
    check(json.loads((converted / "manifest.json").read_text()), "manifest.schema.json")


def test_a_key_more_or_less_does_not_follow_it(converted: Path) -> None:
    document = json.loads((converted / "report.json").read_text())
    for changed in ({**document, "more": 1}, {k: document[k] for k in document if k != "files"}):
        with pytest.raises(jsonschema.ValidationError):
            check(changed, REPORT)


def check(document: object, name: str) -> None:
    jsonschema.Draft202012Validator(json.loads((FOLDER / name).read_text())).validate(document)
