"""The target ``web``: a static page and an ES module that run a folder's files in a browser."""

import json
from pathlib import Path
from typing import Any

from edgekit.bundle.folder import write_json
from edgekit.targets.info import write_info
from edgekit.targets.job import ExportJob
from edgekit.targets.rendering import render

# Exact: the page goes around LiteRT.js' Tensor for integers, and what was tested is what is installed.
_PACKAGES = {
    "tflite": {"@litertjs/core": "2.5.3", "@litertjs/wasm-utils": "2.5.3"},
    "onnx": {"onnxruntime-web": "1.30.0"},
}
_IMPORTS = {
    "tflite": {
        "@litertjs/core": "./vendor/litert/index.js",
        "@litertjs/wasm-utils": "./vendor/litert/wasm-utils.js",
    },
    "onnx": {
        "onnxruntime-web": "./vendor/onnx/ort.wasm.min.mjs",
        "onnxruntime-web/webgpu": "./vendor/onnx/ort.webgpu.min.mjs",
    },
}


def write_web(job: ExportJob, folder: Path) -> None:
    """Write the page, the module, the files and the golden samples.

    Args:
        job: what is exported.
        folder: an empty one.
    """
    formats = sorted({entry.format for entry in job.files})
    write_info(job, folder)
    write_json(folder / "package.json", _package(formats))
    imports = {name: path for form in formats for name, path in _IMPORTS[form].items()}
    values = {
        "title": job.title,
        "imports": _script_json({"imports": imports}),
        "license": job.manifest.license,
        "shippable": job.manifest.shippable,
        "files": job.files,
        "image": bool(job.manifest.preprocessing),
    }
    render("web", folder, values)


def _package(formats: list[str]) -> dict[str, Any]:
    return {
        "private": True,
        "type": "module",
        "scripts": {"postinstall": "node vendor.mjs", "start": "node serve.mjs"},
        "dependencies": {n: v for form in formats for n, v in _PACKAGES[form].items()},
    }


def _script_json(value: Any) -> Any:
    """JSON that may stand inside a script element, where HTML's own escapes mean nothing."""
    from markupsafe import Markup

    return Markup(json.dumps(value, indent=2).replace("<", "\\u003c"))
