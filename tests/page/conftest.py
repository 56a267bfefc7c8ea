"""A browser, and pages of real models."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.detector import SHAPES, save_detector

import edgekit
from edgekit.report.result import Report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CLASSES = ["<script>document.title='run'</script>", "a & b", *map(str, range(2, 10))]


@dataclass(frozen=True)
class Written:
    """A report and its page."""

    report: Report
    path: Path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="make test-page installs it")
    with sync_api.sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, BROWSERS)), None)
        if found is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("no Chromium; make test-page installs it")
        opened = playwright.chromium.launch(executable_path=found)
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page; fails afterwards if it asked for anything, or complained of anything."""
    contexts, asked, said = [], [], []

    def show(
        page: Path, *, width: int = 1280, height: int = 800, dark: bool = False, unfold: bool = True
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        tab = context.new_page()

        def answer(route: Any) -> None:
            if route.request.url.startswith(page.as_uri()):
                route.continue_()
            else:
                asked.append(route.request.url)
                route.abort()

        tab.route(lambda url: not url.startswith("data:"), answer)
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(page.as_uri())
        if unfold:
            tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        return tab

    yield show
    for context in contexts:
        context.close()
    assert asked == []
    assert said == []


@pytest.fixture(scope="session")
def pages(
    browser: Any, digits: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Written]:
    """Pages of reports as different as they come, by name; none without a browser to show them."""
    from edgekit.report.html import write_page

    folder = tmp_path_factory.mktemp("pages")
    evaluated = np.load(digits / "eval.npz")
    samples = {name: evaluated[name] for name in evaluated}
    images = samples["image"]
    cnn = digits / "cnn.keras"
    edgekit.convert(cnn, digits / "calib.npz", folder / "good", labels=CLASSES)
    edgekit.convert(cnn, {"image": images * 255}, folder / "bad", labels=CLASSES)
    both = [folder / "good", folder / "bad" / "model_int8.tflite"]
    _save_regression(folder / "plain.keras")
    x = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    edgekit.convert(folder / "plain.keras", {"x": x}, folder / "plain", to=["tflite"])
    truth = _near(folder / "plain" / "model_float32.tflite", x)
    reports = {
        "pass": edgekit.validate(cnn, folder / "good", samples, per_layer=True),
        "fail": edgekit.validate(cnn, both, samples),
        "unlabelled": edgekit.validate(cnn, folder / "good", {"image": images[:60]}),
        "plain": edgekit.validate(folder / "plain.keras", folder / "plain", {"x": x}),
        "regression": edgekit.validate(
            folder / "plain.keras", folder / "plain", {"x": x, **truth}, per_layer=True
        ),
        "multilabel": _multilabel(folder, samples),
        "detection": _detection(folder / "detector"),
        "random": edgekit.validate(cnn, folder / "good", "random"),
    }
    found = {}
    for name, report in reports.items():
        found[name] = Written(report, folder / f"{name}.html")
        write_page(report, found[name].path)
    return found


def _multilabel(folder: Path, samples: dict[str, Any]) -> Report:
    """Digits by four traits at once, trained a little; its int8 file was calibrated on too few."""
    import keras

    traits = {
        "even": (0, 2, 4, 6, 8),
        "large": (5, 6, 7, 8, 9),
        "loop": (0, 6, 8, 9),
        "prime": (2, 3, 5, 7),
    }
    labels = np.stack([np.isin(samples["y"], digits) for digits in traits.values()], axis=1)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(len(traits), activation="sigmoid", name="traits"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    model.fit(samples["image"], labels, epochs=25, verbose=0)
    model.save(folder / "traits.keras")
    few = {"image": samples["image"][:8] * 0.3}
    edgekit.convert(folder / "traits.keras", few, folder / "traits", labels=list(traits))
    data = {"image": samples["image"], "y": labels.astype(np.int64)}
    return edgekit.validate(folder / "traits.keras", folder / "traits", data)


def _detection(folder: Path) -> Report:
    """A detector of shapes; eight bits move its boxes a little."""
    folder.mkdir()
    save_detector(folder)
    model, out = folder / "detector.keras", folder / "out"
    edgekit.convert(model, folder / "calib.npz", out, to=["tflite"], labels=SHAPES)
    return edgekit.validate(model, out, folder / "eval.npz", task="detection")


def _near(path: Path, x: Any) -> dict[str, Any]:
    """Labels from which a model strays a little, by the names that they have beside samples."""
    random = np.random.default_rng(1)
    with edgekit.open_model(path) as model:
        outputs = model.run({"x": x})
    return {
        f"y_{name}": array + random.normal(0, 0.1 * array.std(), array.shape)
        for name, array in outputs.items()
    }


def _save_regression(path: Path) -> None:
    """Two outputs that are plain numbers: no answers, no pictures."""
    import keras

    keras.utils.set_random_seed(0)
    x = keras.Input((6,), name="x")
    hidden = keras.layers.Dense(16, activation="relu")(x)
    outputs = {n: keras.layers.Dense(w, name=n)(hidden) for n, w in (("pose", 3), ("grip", 1))}
    keras.Model(x, outputs).save(path)
