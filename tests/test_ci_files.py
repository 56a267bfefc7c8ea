"""What docs/ci.md offers: the GitHub Action's own steps, the hook, and completion in the shell."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"]}


def run_step(name: str, folder: Path, **inputs: str) -> tuple[int, str, dict[str, str]]:
    """Run a step as GitHub does: its script in bash, its variables from the inputs; status, summary, outputs."""
    step = STEPS[name]
    values = {key: str(entry.get("default", "")) for key, entry in ACTION["inputs"].items()}
    values |= inputs
    variables = {
        key: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda match: values[match[1]], text)
        for key, text in step["env"].items()
    }
    assert not any("${{" in text for text in variables.values())
    summary, outputs = folder / "summary", folder / "outputs"
    environment = {
        **os.environ, **variables,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs), "GITHUB_ACTIONS": "true",
    }  # fmt: skip
    script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    ran = subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True)
    told = outputs.read_text().splitlines() if outputs.exists() else []
    return (
        ran.returncode,
        summary.read_text() if summary.exists() else ran.stdout + ran.stderr,
        dict(line.split("=", 1) for line in told),
    )


def test_no_input_is_pasted_into_a_script() -> None:
    """GitHub replaces ${{ }} before the shell reads it: an input there would be code."""
    for step in STEPS.values():
        assert "${{" not in step.get("run", "")


def test_the_action_validates_and_tells_the_pull_request(converted: Path, tmp_path: Path) -> None:
    files = f"{converted}/model_float32.tflite {converted}/model_int8.tflite"
    data = converted.parent / "eval.npz"

    status, summary, outputs = run_step(
        "Run edgekit", tmp_path, command="validate", arguments=f"{files} --data '{data}'"
    )

    assert status == 0, summary
    assert "### edgekit: ✅ pass" in summary
    assert outputs == {"verdict": "pass"}
    assert {path.name for path in (tmp_path / "edgekit-reports").iterdir()} == {
        "page.html", "summary.md", "junit.xml",
    }  # fmt: skip


def test_a_file_that_fails_fails_the_step_and_is_told_all_the_same(
    converted: Path, tmp_path: Path
) -> None:
    files = f"{converted}/model_float32.tflite {converted}/model_int8.tflite"
    data = converted.parent / "eval.npz"

    status, summary, outputs = run_step(
        "Run edgekit", tmp_path, command="validate",
        arguments=f"{files} --data {data} --min sqnr=90",
    )  # fmt: skip

    assert status == 1
    assert "❌ fail" in summary
    assert outputs == {"verdict": "fail"}


def test_other_commands_are_refused(tmp_path: Path) -> None:
    status, said, outputs = run_step("Run edgekit", tmp_path, command="run; rm -rf .")

    assert status == 2
    assert "convert, tune or validate" in said
    assert not outputs


def test_the_install_step_names_this_folder_and_the_extra() -> None:
    step = STEPS["Install edgekit"]
    assert step["env"]["SOURCE"] == "${{ github.action_path }}"
    told = subprocess.run(
        ["bash", "-c", step["run"].replace("python -m pip", "echo")],
        env={"SOURCE": str(ROOT), "EXTRA": "convert"},
        capture_output=True,
        text=True,
    )
    assert told.stdout.strip().endswith(f"{ROOT}[convert]")


def test_the_hook_selects_files_that_matter_and_runs_what_the_plugin_marks() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())

    for path in ("a/model.keras", "out/model_int8.tflite", "edgekit-baseline.json", "edgekit.toml"):
        assert re.search(hook["files"], path)
    for path in ("README.md", "src/model.py", "package.json"):
        assert not re.search(hook["files"], path)
    command = [
        sys.executable,
        *hook["entry"].split()[1:],
        "--collect-only",
        "-p",
        "no:cacheprovider",
    ]
    collected = subprocess.run(
        [*command, "tests/toolkit/test_plugin.py", "tests/test_ci_files.py"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert "error" not in collected.stdout.lower()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("edgekit con", {"convert"}),
        ("edgekit convert --precision int8,flo", {"int8,float32", "int8,float16"}),
        ("edgekit convert --io ", {"float", "int8"}),
        ("edgekit export --target we", {"web"}),
        ("edgekit inspect --device xn", {"xnnpack"}),
        ("edgekit convert model.k", {"model.k"}),  # bash completes the file
    ],
)
def test_the_shell_completes(typed: str, completed: set[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from edgekit.cli.main import main; main(prog_name='edgekit')"],
        env={
            **os.environ,
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(typed.split(" ")) - 1),
            "_EDGEKIT_COMPLETE": "bash_complete",
        },
        capture_output=True,
        text=True,
    )

    assert {line.partition(",")[2] for line in told.stdout.split()} == completed, json.dumps(
        told.stderr
    )
