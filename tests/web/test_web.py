"""``edgekit export --target web``, in a browser with the runtimes from npm."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.web_page import SELF_TEST, browser, install, lacking, served

import edgekit
from edgekit.bundle.plain import to_plain
from edgekit.data.images import Images, load_image
from edgekit_runtimes import TensorSpec
from edgekit_runtimes.processing.image_input import SCALES, image_input

pytestmark = pytest.mark.web

PREPROCESS = """async ([url, wanted]) => {
  const { preprocess } = await import('./preprocess.js')
  const image = await (await fetch(url)).blob()
  return [...await preprocess(image, wanted)]
}"""
CLASSIFY = """async url => {
  const { openBundle } = await import('./model.js')
  const model = await (await openBundle()).open()
  return model.classify(await (await fetch(url)).blob())
}"""


@dataclass(frozen=True)
class Page:
    """An export, served."""

    folder: Path
    address: str


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    pytest.importorskip("playwright.sync_api", reason="make test-web installs it")
    if reason := lacking():
        pytest.skip(reason)
    with browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="session")
def page(
    chromium: Any, packages: Path, digits: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """The digits CNN with integer and with real ends, of pixels."""
    folder = tmp_path_factory.mktemp("web")
    names = [f"digit <{n}>" for n in range(10)]
    edgekit.convert(
        digits / "cnn.keras", digits / "calib.npz", folder / "out", scale="0..1", labels=names
    )
    files = [p.name for p in (folder / "out").iterdir() if p.suffix in (".tflite", ".onnx")]
    edgekit.export(folder / "out", "web", folder / "page", files=sorted(files, reverse=True))
    install(folder / "page", packages)
    with served(folder / "page") as address:
        yield Page(folder / "page", address)


@pytest.fixture
def tab(chromium: Any, page: Page) -> Iterator[Any]:
    """The page, open; fails afterwards if it asked anybody else for anything, or an error was logged."""
    context = chromium.new_context()
    opened = context.new_page()
    elsewhere, wrong = [], []
    opened.on(
        "request",
        lambda r: r.url.startswith((page.address, "data:", "blob:")) or elsewhere.append(r.url),
    )
    opened.on("console", lambda m: m.type != "error" or wrong.append(m.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto(page.address)
    opened.wait_for_selector("body[data-ready]")
    yield opened
    context.close()
    assert elsewhere == []
    assert wrong == []


def test_the_page_opens_runs_a_sample_and_tests_itself(tab: Any, page: Page) -> None:
    told = tab.inner_text("#status")
    assert "is open" in told and "WASM" in told
    assert tab.inner_text("#result li:first-child span").startswith("digit <")
    tab.click("#test-all")
    tab.wait_for_selector("#test-all:not([disabled])")
    tests = [row.inner_text() for row in tab.query_selector_all("#tests tr")]
    assert len(tests) == 4, "two formats, float32 and int8"
    assert all("pass" in text for text in tests)
    assert "is open" in tab.inner_text("#status")


@pytest.mark.parametrize("file", ["model_int8.tflite", "model_int8.onnx"])
def test_integers_are_the_same_as_on_this_processor(file: str, tab: Any) -> None:
    (result,) = tab.evaluate(SELF_TEST, [file, "wasm"])["results"]
    assert result["values"] == 80
    assert result["identical"] == result["values"] or result["largest"] < 1.01 / 256, (
        "one step, where float ends round on a tie"
    )


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_files_with_integer_ends_take_and_give_real_numbers(
    suffix: str, chromium: Any, packages: Path, digits: Path, tmp_path: Path
) -> None:
    out, name = tmp_path / "out", f"model_int8.{suffix}"
    edgekit.convert(
        digits / "cnn.keras", digits / "calib.npz", out, to=[suffix], precision="int8", io="int8"
    )
    edgekit.export(out, "web", tmp_path / "page")
    info = json.loads((tmp_path / "page" / "bundle.json").read_text())
    assert info["files"][0]["inputs"][0]["dtype"] in ("int8", "uint8")
    install(tmp_path / "page", packages)
    with served(tmp_path / "page") as address:
        tab = chromium.new_page()
        tab.goto(address)
        (result,) = tab.evaluate(SELF_TEST, [name, "wasm"])["results"]
        tab.close()
    assert result["identical"] == result["values"] == 80


def test_a_wrong_answer_and_a_changed_file_are_told(
    chromium: Any, packages: Path, page: Page, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "page"
    shutil.copytree(page.folder, copy)
    info = json.loads((copy / "bundle.json").read_text())
    golden = bytearray((copy / "golden.bin").read_bytes())
    at = info["golden"]["outputs"]["model_int8.tflite"]["digit"]["offset"]
    golden[at : at + 4] = np.float32(0.5).tobytes()
    (copy / "golden.bin").write_bytes(golden)
    with served(copy) as address:
        tab = chromium.new_page()
        tab.goto(address)
        tab.wait_for_selector("body[data-ready]")
        assert "hash differs" in tab.inner_text("#status")
        del info["golden"]["sha256"]
        (copy / "bundle.json").write_text(json.dumps(info))
        tested = tab.evaluate(SELF_TEST, ["model_int8.tflite", "wasm"])
        assert not tested["passed"]
        assert tested["results"][0]["identical"] == 79
        tab.close()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [(31, 47), (8, 8), (5, 3)])
def test_an_image_becomes_the_numbers_that_the_model_was_validated_with(
    scale: str, size: tuple[int, int], tab: Any, page: Page
) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    spec = TensorSpec("image", (1, 9, 11, 3), "float32")
    image = Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8))
    turned = image.getexif()
    turned[0x0112] = 6
    image.save(page.folder / "photo.png", exif=turned)
    pixels = load_image(page.folder / "photo.png", spec, Images("0..255"))
    wanted = image_input(spec, scale)
    assert wanted is not None
    ordered = pixels[..., ::-1] if wanted.color_order == "BGR" else pixels
    numbers = (ordered - np.float32(wanted.mean)) / np.float32(wanted.std)
    got = tab.evaluate(PREPROCESS, ["photo.png", to_plain(wanted)])
    np.testing.assert_array_equal(np.float32(got), numbers.ravel())


def test_a_photograph_gets_the_answer_that_python_gives(tab: Any, page: Page) -> None:
    from PIL import Image

    from edgekit.workflows.demo import digits as load_digits

    image = load_digits()[0][700, ..., 0]
    Image.fromarray(np.uint8(image * 255)).convert("RGB").resize((64, 80)).save(
        page.folder / "digit.png"
    )
    spec = TensorSpec("image", (1, 8, 8, 1), "float32")
    sample = load_image(page.folder / "digit.png", spec, Images("0..1"))[np.newaxis]
    answer = tab.evaluate(CLASSIFY, "digit.png")["digit"]
    with edgekit.open_model(page.folder / json.loads(
        (page.folder / "bundle.json").read_text())["files"][0]["file"]
    ) as model:  # fmt: skip
        scores = model.run(sample)[0]
    best = int(scores.argmax())
    assert answer["ranked"][0]["name"] == f"digit <{best}>"
    np.testing.assert_allclose(answer["values"], scores, atol=1e-6)


def test_a_model_of_numbers_takes_numbers(chromium: Any, packages: Path, tmp_path: Path) -> None:
    from support.zoo import many_ends, samples

    model = many_ends()
    edgekit.convert(model, samples(model), tmp_path / "out", to=["onnx"])
    edgekit.export(tmp_path / "out", "web", tmp_path / "page")
    install(tmp_path / "page", packages)
    with served(tmp_path / "page") as address:
        tab = chromium.new_page()
        tab.goto(address)
        tab.wait_for_selector("body[data-ready]")
        assert not tab.is_visible("#image-input")
        tab.click("#numbers button")
        shown = tab.inner_text("#result")
        assert "a" in shown.splitlines() and "b" in shown.splitlines()
        tab.fill("#input-p", "1 2 3")
        tab.click("#numbers button")
        assert tab.inner_text("#status") == "p: 6 numbers are wanted, and these are 3."
        tab.fill("#input-p", "1, 2, x, 4, 5, 6")
        tab.click("#numbers button")
        assert "numbers are wanted, joined by spaces or commas" in tab.inner_text("#status")
        tab.close()


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_and_can_be_read(width: int, dark: bool, chromium: Any, page: Page) -> None:
    from support.contrast import FAINT

    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
    )
    tab = context.new_page()
    tab.goto(page.address)
    tab.wait_for_selector("body[data-ready]")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    looks = tab.evaluate(FAINT)
    assert looks["texts"] > 20
    assert looks["faint"] == []
    unnamed = "[...document.querySelectorAll('input, select, textarea, button')].filter(e => !(e.labels?.length || e.ariaLabel || e.textContent.trim())).length"
    assert tab.evaluate(unnamed) == 0
    context.close()
