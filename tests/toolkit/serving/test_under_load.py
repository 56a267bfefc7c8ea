"""A server while it is asked without a pause: workers that are killed, folders that are swapped, and its memory."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oip.client import ask, in_binary, values
from support.memory_over_time import watched
from support.plain_onnx import write_plain
from support.server import Server, kill, serving, until

import edgekit
from edgekit_runtimes import open_model

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

_CONNECTIONS = 16


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "plain.onnx"
    write_plain(path)
    return path


def start_load(server: Server, seconds: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "support.load", server.url, "plain", str(seconds),
               str(_CONNECTIONS), "0", "binary"]  # fmt: skip
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )


def result(client: "subprocess.Popen[str]") -> dict[str, Any]:
    said, _ = client.communicate()
    assert client.returncode == 0
    return dict(json.loads(said))


def test_a_models_process_that_ends_between_calls_costs_no_request(plain: Path) -> None:
    with serving(plain) as server:
        model = ask(server.url, "/v2/models/plain").content
        body, headers = in_binary(model["inputs"])
        for _ in range(3):
            before = server.models()
            kill(before)
            until(lambda b=before: set(server.models()).isdisjoint(b))  # type: ignore[misc]
            time.sleep(0.1)  # the system closes its end a little later
            assert ask(server.url, "/v2/models/plain/infer", body, headers=headers).status == 200


def test_a_batch_of_any_size_is_answered_and_no_other_is_the_worse_for_it(plain: Path) -> None:
    with serving(plain, "--device", "cpu") as server, open_model(plain, device="cpu") as session:
        (described,) = ask(server.url, "/v2/models/plain").content["inputs"]
        for rows in (1, 100_000, 3):
            body, headers = in_binary([described], rows=rows)
            reply = ask(server.url, "/v2/models/plain/infer", body, headers=headers)
            wanted = session.run(values(described, rows=rows))
            np.testing.assert_allclose(reply.array("digit"), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_worker_killed_every_second_loses_its_own_requests_alone(plain: Path) -> None:
    seconds = 60
    with serving(plain, "--device", "cpu", "--workers", "4") as server:
        client = start_load(server, seconds)
        end = time.monotonic() + seconds - 5
        killed = 0
        while time.monotonic() < end:
            time.sleep(1)
            if workers := server.workers():
                kill(workers[:1])
                killed += 1
        got = result(client)
    print(got, killed)

    lost = got["statuses"].get("0", 0)
    assert got["statuses"].keys() <= {"200", "0"}, (
        "no refusal, and no error but a closed connection"
    )
    assert killed > 40
    assert lost <= killed * _CONNECTIONS
    assert got["requests"] - lost > 20 * seconds
    assert got["longest_ms"] < 15_000, "the server was never gone"


@pytest.fixture(scope="module")
def two(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two folders of the digits CNN, of which the second is sure of the opposite."""
    import keras

    folder = tmp_path_factory.mktemp("two")
    model = keras.models.load_model(digits / "cnn.keras")
    for name, sign in (("first", 1), ("second", -1)):
        last = model.layers[-1]
        last.set_weights([sign * weights for weights in last.get_weights()])
        edgekit.convert(model, digits / "calib.npz", folder / name, to=["tflite"])
    return [folder / "first", folder / "second"]


@pytest.mark.slow
def test_fifty_swaps_without_a_failed_request_or_a_mixed_answer(
    two: list[Path], tmp_path: Path
) -> None:
    live, fresh = tmp_path / "digits", tmp_path / "fresh"

    def swap(folder: Path) -> None:
        fresh.symlink_to(folder)
        fresh.replace(live)

    swap(two[0])
    with serving(f"digits={live}", "--device", "cpu", "--reload") as server:
        model = ask(server.url, "/v2/models/digits").content
        (described,), name = model["inputs"], model["outputs"][0]["name"]
        one = values(described).repeat(5, axis=0)
        known = []
        for folder in two:
            with open_model(folder, device="cpu") as session:
                known.append(session.run(one))
        assert not np.allclose(known[0], known[1], atol=0.1)
        given = {k: described[k] for k in ("name", "datatype")} | {
            "shape": list(one.shape),
            "data": one.ravel().tolist(),
        }
        wrong: list[str] = []
        answered = [0, 0]
        stop = threading.Event()

        def load() -> None:
            while not stop.is_set():
                reply = ask(server.url, "/v2/models/digits/infer", {"inputs": [given]})
                if reply.status != 200:
                    wrong.append(str(reply))
                    continue
                near = [np.allclose(reply.array(name), k, atol=0.01) for k in known]
                if sum(near) != 1:
                    wrong.append(str(reply.array(name)))
                else:
                    answered[near.index(True)] += 1

        callers = [threading.Thread(target=load) for _ in range(4)]
        for caller in callers:
            caller.start()
        for number in range(1, 51):
            swap(two[number % 2])
            until(lambda n=number: sum("is in use" in line for line in server.lines) == n)  # type: ignore[misc]
        file = two[1] / model["parameters"]["file"]
        good = file.read_bytes()
        file.write_bytes(b"damaged")
        swap(two[1])
        until(lambda: any("not taken into use" in line for line in server.lines))
        file.write_bytes(good)
        before = list(answered)
        until(lambda: answered[0] > before[0] + 20)
        stop.set()
        for caller in callers:
            caller.join()

    print(answered)
    assert wrong == []
    assert min(answered) > 50
    assert answered[1] == before[1], "the damaged one never answered"


@pytest.mark.slow
def test_memory_does_not_grow_with_requests(plain: Path) -> None:
    with serving(plain, "--device", "cpu") as server:
        growth = watched(server, "plain", 100_000)
    print(growth)

    assert growth.errors == 0
    assert growth.last_mib - growth.first_mib < 4
