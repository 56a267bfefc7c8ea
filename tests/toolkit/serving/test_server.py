"""``edgekit serve`` as its callers know it: answers, refusals, crashes and new versions."""

import io
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from oip.client import Reply, ask, in_binary, tensor
from support.server import Server, kill, serving, until
from support.signing import make_pair

import edgekit
from edgekit.cli.main import main
from edgekit_runtimes import open_model

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def bundle(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits CNN, with names for its classes; a copy, whose manifest may be written."""
    folder = tmp_path_factory.mktemp("served") / "digits"
    shutil.copytree(converted, folder)
    return folder


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Server]:
    with serving(
        bundle, "--device", "cpu", "--max-body", "1", "--timeout", "2", "--log"
    ) as started:
        yield started


@pytest.fixture(scope="module")
def model(server: Server) -> dict[str, Any]:
    return dict(ask(server.url, "/v2/models/digits").content)


def infer(server: Server, model: dict[str, Any], rows: int = 1, **more: Any) -> Reply:
    body, headers = in_binary(model["inputs"], rows=rows, **more)
    return ask(server.url, f"/v2/models/{model['name']}/infer", body, headers=headers)


def test_the_best_known_client_gets_what_the_file_answers(
    server: Server, bundle: Path, digits: Path
) -> None:
    triton = pytest.importorskip("tritonclient.http")
    client = triton.InferenceServerClient(urlsplit(server.url).netloc)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("digits")
    metadata = client.get_model_metadata("digits")
    image = np.load(digits / "eval.npz")["image"][:5].astype(np.float32)
    given = triton.InferInput(metadata["inputs"][0]["name"], list(image.shape), "FP32")

    for binary in (True, False):
        given.set_data_from_numpy(image, binary_data=binary)
        output = metadata["outputs"][0]["name"]
        wanted = triton.InferRequestedOutput(output, binary_data=binary)
        got = client.infer("digits", [given], outputs=[wanted]).as_numpy(output)
        with open_model(bundle / metadata["parameters"]["file"]) as session:
            np.testing.assert_array_equal(got, session.run(image))
    best = triton.InferRequestedOutput(output, binary_data=True, class_count=2)
    classes = client.infer("digits", [given], outputs=[best]).as_numpy(output)
    assert classes.shape == (5, 2)
    value, index = classes[0][0].decode().split(":")[:2]
    assert (float(value), int(index)) == (pytest.approx(got[0].max(), abs=1e-5), got[0].argmax())


def test_an_image_is_answered_by_names(bundle: Path, digits: Path, tmp_path: Path) -> None:
    from PIL import Image

    folder = Path(shutil.copytree(bundle, tmp_path / "digits"))
    manifest = json.loads((folder / "manifest.json").read_text())
    one = {
        "mean": [0.0],
        "std": [255.0],
        "scale": "0..1",
        "color_order": "L",
        "height": 8,
        "width": 8,
    }
    image = {"input": "image", "resize": "stretch", "crop": "none", "exif_orientation": True,
             "interpolation": "bilinear-antialiased", **one}  # fmt: skip
    manifest |= {"labels": [f"a {i}" for i in range(10)], "preprocessing": [image]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with np.load(digits / "eval.npz") as data:
        pixels, label = (255 * data["image"][0, ..., 0]).astype(np.uint8), int(data["y"][0])
    picture = io.BytesIO()
    Image.fromarray(pixels).save(picture, "PNG")
    with serving(folder, "--device", "cpu") as server:
        path, png = "/v2/models/digits/infer", {"Content-Type": "image/png"}
        answer = ask(server.url, path, picture.getvalue(), headers=png)
        broken = ask(server.url, path, b"\x89PNG nothing", headers=png)
    with open_model(folder) as session:
        expected = session.predict(pixels)

    assert answer.status == 200
    (best, *_), *_ = answer.content["answers"].values()
    assert (best["label"], best["number"]) == (f"a {label}", label)
    assert expected.best is not None and best["score"] == pytest.approx(expected.best.score)
    assert broken.status == 400 and broken.content["error"]


def test_a_body_may_be_neither_large_nor_slow(server: Server, model: dict[str, Any]) -> None:
    assert infer(server, model, rows=5000).status == 413

    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as slow:
        slow.sendall(
            b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        )
        assert infer(server, model).status == 200, "others do not wait for it"
        assert b" 408 " in slow.recv(1000)


def test_a_client_that_leaves_and_one_that_talks_nonsense_harm_nobody(
    server: Server, model: dict[str, Any]
) -> None:
    parts = urlsplit(server.url)
    body, _ = in_binary(model["inputs"])
    for sent in (
        b"\x00\xff" * 1000,
        b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n"
        + body[:20],
        b"GET /v2/models/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v2/models/%2e%2e%2fmanifest.json HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as rude:
            rude.sendall(sent)
        assert infer(server, model).status == 200
    assert ask(server.url, "/v2/models/%2e%2e%2fmanifest.json").status == 404


def test_a_crash_of_a_model_costs_its_own_requests_alone(
    server: Server, model: dict[str, Any]
) -> None:
    before = server.models()
    kill(before)
    until(lambda: infer(server, model).status == 200)

    assert set(server.models()).isdisjoint(before)
    assert (
        'edgekit_model_restarts_total{model="digits"} ' in ask(server.url, "/metrics").body.decode()
    )


def test_a_call_that_takes_too_long_is_ended(server: Server, model: dict[str, Any]) -> None:
    (stalled,) = server.models()
    os.kill(stalled, signal.SIGSTOP)

    assert infer(server, model).status == 500, "after --timeout 2"
    until(lambda: infer(server, model).status == 200)


def test_a_worker_that_dies_is_started_again_and_no_caller_is_turned_away(
    server: Server, model: dict[str, Any]
) -> None:
    (before,) = server.workers()
    kill([before])

    assert infer(server, model).status == 200, "the socket is open: the caller waits"
    assert server.workers() != [before]
    until(lambda: any("a worker ended (signal 9)" in line for line in server.lines), 5)


def test_what_happens_is_counted_and_logged(server: Server, model: dict[str, Any]) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    request = {"inputs": [tensor(d) for d in model["inputs"]]}
    reply = ask(server.url, "/v2/models/digits/infer", request, headers={"traceparent": trace})
    ask(server.url, "/v2/models/digits/infer", {})
    told = ask(server.url, "/metrics").body.decode()

    assert reply.headers["traceparent"] == trace
    assert 'edgekit_requests_total{model="digits",status="200",version="1"}' in told
    assert 'edgekit_requests_total{model="digits",status="400",version="1"} 1.0' in told
    for stage in ("read", "queue", "infer", "write", "all"):
        assert (
            f'edgekit_request_seconds_count{{model="digits",stage="{stage}",version="1"}}' in told
        )
    until(lambda: any(trace in line for line in server.lines))
    (line,) = (json.loads(x) for x in server.lines if trace in x)
    assert (line["path"], line["status"]) == ("/v2/models/digits/infer", 200)


def test_a_token_is_asked_for(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open-sesame\n")
    with serving(bundle, "--device", "cpu", "--token-file", tmp_path / "token") as server:
        assert ask(server.url, "/v2/health/ready").status == 200
        assert ask(server.url, "/v2").status == 401
        assert ask(server.url, "/v2", headers={"Authorization": "Bearer wrong"}).status == 401
        shown = {"Authorization": "Bearer open-sesame"}
        assert ask(server.url, "/v2", headers=shown).status == 200


def test_https_by_a_certificate_and_no_other_file(bundle: Path, tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(self_signed(pair.key))
    with serving(bundle, "--device", "cpu", "--tls", certificate, pair.private) as server:
        assert server.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(certificate))
        trusting.check_hostname = False
        with urlopen(f"{server.url}/v2/health/ready", context=trusting) as reply:
            assert reply.status == 200

    wrong = ["serve", str(bundle), "--tls", str(pair.public), str(pair.private)]
    refused = CliRunner().invoke(main, wrong)
    assert refused.exit_code == 2 and "certificate" in refused.output


def self_signed(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def test_a_new_folder_is_taken_into_use_without_a_failed_request_and_a_damaged_one_is_not(
    converted: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "digits"
    shutil.copytree(converted, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    with serving(folder, "--device", "cpu", "--reload") as server:
        model = ask(server.url, "/v2/models/digits").content
        failed: list[int] = []
        stop = threading.Event()

        def load() -> None:
            while not stop.is_set():
                status = infer(server, model).status
                if status != 200:
                    failed.append(status)

        callers = [threading.Thread(target=load) for _ in range(3)]
        for caller in callers:
            caller.start()
        fresh = tmp_path / "fresh.json"
        for number in range(3):
            fresh.write_text(
                json.dumps(manifest | {"labels": [f"{number}-{i}" for i in range(10)]})
            )
            fresh.replace(folder / "manifest.json")
            until(lambda n=number: sum("is in use" in x for x in server.lines) == n + 1)  # type: ignore[misc]
        (folder / model["parameters"]["file"]).write_bytes(b"damaged")
        fresh.write_text(json.dumps(manifest))
        fresh.replace(folder / "manifest.json")
        until(lambda: any("not taken into use" in x for x in server.lines))
        time.sleep(0.2)
        stop.set()
        for caller in callers:
            caller.join()
        outputs = [{"name": model["outputs"][0]["name"], "parameters": {"classification": 1}}]
        request = {"inputs": [tensor(d) for d in model["inputs"]], "outputs": outputs}
        answer = ask(server.url, "/v2/models/digits/infer", request).content

    assert failed == []
    assert answer["outputs"][0]["data"][0].split(":")[2].startswith("2-"), "the last that was good"


def test_a_folder_that_is_not_signed_is_not_served(bundle: Path, tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    signed = Path(shutil.copytree(bundle, tmp_path / "digits"))
    edgekit.sign(signed, pair.private)
    with serving(signed, "--device", "cpu", "--key", pair.public) as server:
        assert ask(server.url, "/v2/models/digits").status == 200
    (signed / "report.json").write_text("{}")

    refused = CliRunner().invoke(
        main, ["serve", str(signed), "--port", "0", "--key", str(pair.public)]
    )
    assert refused.exit_code == 3, refused.output
    assert "not what was signed" in refused.output


def test_more_than_may_wait_are_told_when_to_come_again(bundle: Path) -> None:
    with serving(bundle, "--device", "cpu", "--queue", "1") as server:
        model = ask(server.url, "/v2/models/digits").content
        replies: list[Reply] = []
        callers = [
            threading.Thread(target=lambda: replies.append(infer(server, model, rows=400)))
            for _ in range(24)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    statuses = {reply.status for reply in replies}
    busy = [reply for reply in replies if reply.status == 429]

    assert statuses == {200, 429}
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in busy)


def test_two_workers_share_a_socket_and_their_figures(bundle: Path) -> None:
    with serving(bundle, "--device", "cpu", "--workers", "2") as server:
        model = ask(server.url, "/v2/models/digits").content
        first, _ = server.workers()
        for _ in range(6):
            assert infer(server, model).status == 200
        kill([first])
        until(lambda: first not in server.workers() and len(server.workers()) == 2)
        assert infer(server, model).status == 200
        told = ask(server.url, "/metrics").body.decode()

    assert 'edgekit_requests_total{model="digits",status="200",version="1"} 7.0' in told
