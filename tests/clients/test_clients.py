"""edgekit's own files in the programs that others run them in."""

from pathlib import Path

import pytest

from clients.conftest import Ask
from clients.judgement import fault
from clients.known import reason
from clients.programs import CLIENTS, Client

pytestmark = pytest.mark.client


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_computes_what_the_file_says(client: Client, files: Path, answers: Ask) -> None:
    if not client.installed:
        pytest.skip(f"{client.name} is not installed: make test-clients, or not for this Python")
    answered = answers(client)
    wrong, expected = {}, {}
    for (model, precision), answer in answered.files.items():
        file = f"model_{precision}{client.suffix}"
        if found := fault(answer, files / model, file):
            wrong[model, precision] = found
        if why := reason(answered.versions, files / model / file):
            expected[model, precision] = why
    assert wrong.keys() == expected.keys(), (answered.versions, wrong, expected)


def test_vela_gives_convolutional_models_to_the_npu_whole(answers: Ask) -> None:
    vela = next(client for client in CLIENTS if client.name == "vela")
    if not vela.installed:
        pytest.skip("Vela is not installed: make test-clients")
    answered = answers(vela)
    for model in ("cnn", "u-net", "p-net-of-prelu", "separableconv2d", "vision-transformer"):
        left = answered.files[model, "int8"].on_cpu
        assert left is not None and set(left) <= {"Quantize", "Dequantize"}, (model, left)
