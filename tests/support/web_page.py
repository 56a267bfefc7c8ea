"""Exported pages in Chromium: the packages from npm, a server, a browser, and the self-test in it."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SELF_TEST = """async ([file, processor]) => {
  const { openBundle } = await import('./model.js')
  const bundle = await openBundle(new URL('./', document.baseURI))
  const model = await bundle.open(file, processor)
  const tested = await model.selfTest()
  model.close()
  return tested
}"""
"""Opens one file of the page's folder, and replays the golden samples."""


def lacking() -> str | None:
    """What is not there to run a page with; None where nothing lacks."""
    if not shutil.which("npm"):
        return "Node.js with npm is not installed"
    if not any(map(shutil.which, BROWSERS)):
        return "no Chromium; make test-web installs it"
    return None


def install(folder: Path, cache: Path) -> None:
    """Gives an export its runtimes: by npm, once for each list of packages, and then from the cache."""
    kept = cache / str(abs(hash((folder / "package.json").read_text())))
    if not kept.is_dir():
        npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(npm, cwd=folder, check=True, timeout=300)
        shutil.copytree(folder / "vendor", kept)
        shutil.rmtree(folder / "node_modules")
    elif not (folder / "vendor").exists():
        shutil.copytree(kept, folder / "vendor", copy_function=os.link)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which an export's own server serves it."""
    command = ["node", "serve.mjs", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextlib.contextmanager
def browser(*, webgpu: bool = False) -> Iterator[Any]:
    """Headless Chromium; with ``webgpu`` it has a graphics card in software."""
    from playwright.sync_api import sync_playwright

    software = [
        "--enable-unsafe-webgpu",
        "--use-webgpu-adapter=swiftshader",
        "--enable-features=Vulkan",
    ]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, BROWSERS))),
            args=software if webgpu else [],
        )
        yield opened
        opened.close()
