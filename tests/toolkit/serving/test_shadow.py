"""``edgekit serve --shadow``: a second model on the same requests, which nobody waits for."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from oip.client import ask
from support.plain_onnx import write_plain
from support.server import Server, kill, serving, until

from edgekit.accuracy.intervals import drop_interval
from edgekit.cli.main import main
from edgekit_runtimes import open_model

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def infer(server: Server, image: np.ndarray[Any, Any]) -> int:
    given = {"name": "image", "datatype": "FP32", "shape": list(image.shape)}
    body = {"inputs": [given | {"data": image.ravel().tolist()}]}
    return ask(server.url, "/v2/models/digits/infer", body).status


def shadow_of(server: Server) -> dict[str, Any]:
    (entry,) = ask(server.url, "/monitor").content["models"]
    return dict(entry["shadow"])


def test_its_agreement_is_the_gates_and_neither_stall_nor_crash_of_it_harms_an_answer(
    converted: Path, digits: Path, tmp_path: Path
) -> None:
    images = np.load(digits / "eval.npz")["image"][:40].astype(np.float32)
    plain = tmp_path / "plain.onnx"
    weights = write_plain(plain)
    with open_model(converted / "model_int8.tflite") as session:
        first = session.run(images)
    said = (images.reshape(len(images), -1) @ weights).argmax(axis=1)
    changed = int((first.argmax(axis=1) != said).sum())
    assert 0 < changed < len(images)

    served = ["--device", "cpu", "--shadow", plain, "--shadow-share", "1", "--timeout", "2"]
    with serving(f"digits={converted / 'model_int8.tflite'}", *served) as server:
        assert any("plain.onnx on" in line and "is the shadow of" in line for line in server.lines)
        for at, image in enumerate(images):
            assert infer(server, image[np.newaxis]) == 200
            until(lambda n=at + 1: shadow_of(server)["compared"] == n)  # type: ignore[misc]
        shadow = shadow_of(server)
        told = ask(server.url, "/metrics").body.decode()

        second = next(p for p in server.models() if niceness(p) == 19)
        os.kill(second, signal.SIGSTOP)
        start = time.monotonic()
        assert [infer(server, images[:1]) for _ in range(30)] == [200] * 30
        assert time.monotonic() - start < 2, "nobody waits for it"
        until(lambda: shadow_of(server)["failed"] >= 1)  # after --timeout 2
        dropped = shadow_of(server)["dropped"]
        until(lambda: infer(server, images[:1]) == 200 and shadow_of(server)["compared"] > 40)
        kill([p for p in server.models() if niceness(p) == 19])
        assert infer(server, images[:1]) == 200

    (output,) = shadow["outputs"]
    low, high = drop_interval(changed, 0, len(images))
    assert (output["output"], output["metric"], output["samples"]) == ("digit", "agreement", 40)
    assert output["value"] == pytest.approx(1 - changed / 40)
    assert output["interval"] == pytest.approx([1 - high, min(1 - low, 1)])
    assert 'edgekit_shadow_samples_total{model="digits",result="compared",version="1"} 40.0' in told
    assert 'bound="low",metric="agreement",model="digits",output="digit"' in told
    assert dropped >= 20
    assert any("same predictions" in line and "dropped" in line for line in server.lines), (
        "at the end"
    )


def niceness(pid: int) -> int:
    """A shadow's process lets all others go first."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16])


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"given": "photo"}, "inputs are photo float32 [8, 8, 1]"),
        ({"shape": (4, 4, 4)}, "inputs are image float32 [4, 4, 4]"),
        ({"classes": 3}, "outputs are digit float32 [3]"),
    ],
)
def test_one_that_differs_is_refused(
    converted: Path, tmp_path: Path, other: dict[str, Any], reason: str
) -> None:
    write_plain(tmp_path / "other.onnx", **other)
    command = ["serve", str(converted / "model_int8.tflite"), "--port", "0", "--device", "cpu"]
    refused = CliRunner().invoke(main, [*command, "--shadow", str(tmp_path / "other.onnx")])

    assert refused.exit_code == 2, refused.output
    assert reason in refused.output and "same names, types and shapes" in refused.output


def test_of_several_models_it_must_be_said_whose_it_is(converted: Path) -> None:
    command = ["serve", f"a={converted}", f"b={converted}", "--shadow"]
    for argument, reason in (
        (str(converted), "of which model?"),
        (f"c={converted}", "no model 'c' is served; there are a, b"),
        ("a=nowhere", "nowhere: there is no such file or folder"),
    ):
        refused = CliRunner().invoke(main, [*command, argument])
        assert refused.exit_code == 2 and reason in refused.output, refused.output
