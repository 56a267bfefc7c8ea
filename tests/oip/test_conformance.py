"""What the Open Inference Protocol v2 asks of a server over REST, with its own words where they decide.

``pytest tests/oip --url http://host:port [--model NAME]`` asks any server; without, ours is started. The
sentences are of ``specification/protocol/inference_rest.md`` of github.com/kserve/open-inference-protocol,
and of Triton's page on binary tensor data.
"""

from typing import Any

import numpy as np
import pytest

from oip.client import HEADER_LENGTH, NUMPY, Reply, ask, in_binary, tensor, values


def infer(url: str, name: str, body: Any, **more: Any) -> Reply:
    return ask(url, f"/v2/models/{name}/infer", body, **more)


def refused(reply: Reply) -> None:
    """'A failed ... request must be indicated by an HTTP error status (typically 400). The HTTP body must
    contain the ... error response object', whose "error" is 'the descriptive message for the error'.
    """
    assert reply.status >= 400
    assert isinstance(reply.content["error"], str) and reply.content["error"]


def request_for(model: dict[str, Any], rows: int = 1, **more: Any) -> dict[str, Any]:
    return {"inputs": [tensor(described, rows=rows) for described in model["inputs"]], **more}


@pytest.mark.parametrize("probe", ["live", "ready"])
def test_health(url: str, probe: str) -> None:
    assert ask(url, f"/v2/health/{probe}").status == 200


def test_the_server_says_what_it_is(url: str) -> None:
    content = ask(url, "/v2").content

    assert isinstance(content["name"], str)
    assert isinstance(content["version"], str)
    assert all(isinstance(extension, str) for extension in content["extensions"])


def test_a_model_says_what_it_takes_and_gives(model: dict[str, Any], name: str) -> None:
    assert model["name"] == name
    assert isinstance(model["platform"], str)
    for described in (*model["inputs"], *model["outputs"]):
        assert isinstance(described["name"], str)
        assert described["datatype"] in (*NUMPY, "BYTES")
        assert all(isinstance(n, int) and n >= -1 for n in described["shape"])


def test_a_model_is_ready(url: str, name: str) -> None:
    reply = ask(url, f"/v2/models/{name}/ready")

    assert reply.status == 200
    if reply.body:  # servers older than this response object answer with the status alone
        assert reply.content["name"] == name


@pytest.mark.parametrize("path", ["", "/ready", "/versions/1", "/versions/1/ready"])
def test_there_is_no_other_model(url: str, path: str) -> None:
    reply = ask(url, f"/v2/models/no-such-model{path}")
    if path.endswith("ready") and not reply.body:
        assert reply.status >= 400
    else:
        refused(reply)


def test_each_output_comes_with_its_type_and_shape(
    url: str, name: str, model: dict[str, Any]
) -> None:
    """'Optional, if not specified all outputs produced by the model will be returned.'"""
    reply = infer(url, name, request_for(model, rows=2))

    assert reply.status == 200
    assert reply.headers["content-type"].partition(";")[0] == "application/json"
    assert reply.content["model_name"] == name
    by_name = {output["name"]: output for output in reply.content["outputs"]}
    assert set(by_name) == {described["name"] for described in model["outputs"]}
    for described in model["outputs"]:
        output = by_name[described["name"]]
        assert output["datatype"] == described["datatype"]
        assert len(output["shape"]) == len(described["shape"])
        assert all(
            want in (-1, n) for n, want in zip(output["shape"], described["shape"], strict=True)
        )
        assert np.array(output["data"]).size == np.prod(output["shape"])


def test_an_identifier_comes_back(url: str, name: str, model: dict[str, Any]) -> None:
    """'Optional, but if specified this identifier must be returned in the response.'"""
    assert infer(url, name, request_for(model, id="forty-two")).content["id"] == "forty-two"


def test_only_the_outputs_that_are_asked_for(url: str, name: str, model: dict[str, Any]) -> None:
    """'The output tensors requested for this inference.'"""
    wanted = model["outputs"][0]["name"]
    reply = infer(url, name, request_for(model, outputs=[{"name": wanted}]))

    assert [output["name"] for output in reply.content["outputs"]] == [wanted]


def test_numbers_may_be_nested(url: str, name: str, model: dict[str, Any]) -> None:
    """Tensor data is in row-major order, flat or nested by its axes."""
    flat = infer(url, name, request_for(model, rows=2))
    nested = {"inputs": [tensor(d, rows=2, nested=True) for d in model["inputs"]]}

    for described in model["outputs"]:
        np.testing.assert_array_equal(
            infer(url, name, nested).array(described["name"]), flat.array(described["name"])
        )


def test_a_batch_is_answered_row_by_row(url: str, name: str, model: dict[str, Any]) -> None:
    """'If the input is batched, the shape and data must represent the full shape and contents of the entire
    batch.'
    """
    if any(described["shape"][0] != -1 for described in model["inputs"]):
        pytest.skip("the model takes one sample at a time")
    together = infer(url, name, request_for(model, rows=3))
    for row in range(3):
        inputs = []
        for described in model["inputs"]:
            array = values(described, rows=3)[row : row + 1]
            inputs.append(tensor(described) | {"data": array.ravel().tolist()})
        alone = infer(url, name, {"inputs": inputs})
        for described in model["outputs"]:
            ours = together.array(described["name"])[row : row + 1]
            np.testing.assert_allclose(alone.array(described["name"]), ours, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("from_binary", [False, True])
@pytest.mark.parametrize("to_binary", [False, True])
def test_binary_tensors_are_the_same_numbers(
    url: str, name: str, model: dict[str, Any], from_binary: bool, to_binary: bool
) -> None:
    """'"binary_data_output": true if all outputs should be returned as binary data'; the bodies are 'the JSON
    ... followed by the binary tensor data in the same order as the order of the inputs or outputs'.
    """
    if "binary_tensor_data" not in ask(url, "/v2").content["extensions"]:
        pytest.skip("the server does not list binary_tensor_data among its extensions")
    plain = infer(url, name, request_for(model))
    more = {"parameters": {"binary_data_output": True}} if to_binary else {}
    if from_binary:
        body, headers = in_binary(model["inputs"], **more)
        reply = infer(url, name, body, headers=headers)
    else:
        reply = infer(url, name, request_for(model, **more))

    assert reply.status == 200
    assert (HEADER_LENGTH.lower() in reply.headers) == to_binary
    for described in model["outputs"]:
        np.testing.assert_allclose(
            reply.array(described["name"]), plain.array(described["name"]), rtol=1e-6
        )


def test_a_version_may_be_named(url: str, name: str, model: dict[str, Any]) -> None:
    """'"versions": the model versions that may be explicitly requested via the appropriate endpoint.'"""
    for version in model.get("versions") or []:
        assert ask(url, f"/v2/models/{name}/versions/{version}").content["name"] == name
        reply = infer(url, f"{name}/versions/{version}", request_for(model))
        assert reply.content["model_version"] == version
    refused(ask(url, f"/v2/models/{name}/versions/no-such-version"))


def broken(model: dict[str, Any], how: str) -> Any:
    """A request that the model cannot be run on."""
    request = request_for(model)
    first = request["inputs"][0]
    if how == "no JSON":
        return b'{"inputs": ['
    if how == "no object":
        return [1, 2, 3]
    if how == "no inputs":
        return {}
    if how == "an input is missing":
        return {"inputs": []}
    if how == "another input":
        first["name"] = "no-such-input"
    if how == "another output":
        request["outputs"] = [{"name": "no-such-output"}]
    if how == "fewer numbers":
        first["data"] = first["data"][:-1]
    if how == "another shape":
        first["shape"], first["data"] = [1, 1, 1, 1, 1, 1, 7], [0] * 7
    if how == "no shape":
        del first["shape"]
    if how == "no type":
        first["datatype"] = "FP7"
    if how == "text for numbers":
        first["data"] = ["seven"] * len(first["data"])
    return request


@pytest.mark.parametrize(
    "how",
    ["no JSON", "no object", "no inputs", "an input is missing", "another input", "another output",
     "fewer numbers", "another shape", "no shape", "no type", "text for numbers"],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_in_words(
    url: str, name: str, model: dict[str, Any], how: str
) -> None:
    refused(infer(url, name, broken(model, how)))
    assert infer(url, name, request_for(model)).status == 200, "it answers the next one"
