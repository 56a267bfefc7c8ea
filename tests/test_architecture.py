"""The shape of the project: which way imports point, what loads when, and what is documented."""

import ast
import graphlib
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import edgekit

PACKAGES = ("edgekit", "edgekit_converters", "edgekit_runtimes")
MAY_IMPORT = {
    "edgekit": set(PACKAGES),
    "edgekit_converters": {"edgekit_converters"},
    "edgekit_runtimes": {"edgekit_runtimes"},
}
# Which room may import which, from the roof down. `device` is the room of serving, monitoring and
# pushing, and `targets` that of chips: they come with their first file.
MEASURED = {"inference", "accuracy", "bundle", "data"}
ROOMS: dict[str, dict[str, set[str]]] = {
    "edgekit": {
        "cli": {
            *("workflows", "report", "device", "serving", "watch", "project", "options", "targets"),
            *MEASURED,
        },
        "pytest_plugin": {"workflows", "report", "diagnosis", "project", "options", *MEASURED},
        "workflows": {"report", "diagnosis", "device", "project", "options", "targets", *MEASURED},
        "report": {"diagnosis", "watch", "accuracy", "bundle", "data"},
        "device": MEASURED,
        "serving": MEASURED,
        "watch": {"accuracy", "bundle", "data"},
        "targets": {
            "bundle",
            "data",
        },  # a manifest and its files; of converters, those of chips alone
        "diagnosis": MEASURED,
        "project": {"options", "data"},
        "options": {"data"},
        "inference": {"bundle", "data"},
        "accuracy": {"data"},
        "bundle": {"data"},
        "data": set(),
    },
    # Beside these lie what all of them use (base, host, ...) and what uses all of them (open_model, ...).
    "edgekit_runtimes": {
        "bundle": {"engines", "processing", "monitoring"},
        "monitoring": set(),
        "processing": {"engines"},
        "engines": {"formats"},
        "formats": set(),
    },
    "edgekit_converters": {"targets": {"onnx", "tflite"}, "onnx": {"tflite"}, "tflite": set()},
}
LONGEST = {"toolkit": 350, "converters": 350, "runtimes": 350, "samples": 350, "tests": 400}
"""Lines of a file, by folder."""
ROOT = Path(__file__).parents[1]
HEAVY = {
    "ai_edge_litert",
    "distributed",
    "keras",
    "litert_quantizer",
    "onnx",
    "onnxruntime",
    "tensorflow",
    "tf2onnx",
}


def parse(package: str) -> dict[str, ast.Module]:
    """Every module of a package, by its full name."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent
    trees = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join((package, *(part for part in parts if part != "__init__")))
        trees[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return trees


MODULES = {name: tree for package in PACKAGES for name, tree in parse(package).items()}


def imported(tree: ast.AST) -> set[str]:
    """The modules that a module imports, wherever in it: at the top or inside a function."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import, which this test cannot follow"
            assert node.module is not None
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in MODULES else node.module)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down_only(package: str) -> None:
    wrong = [
        f"{name} imports {target}"
        for name, tree in MODULES.items()
        if name.partition(".")[0] == package
        for target in sorted(imported(tree))
        if target.partition(".")[0] in set(PACKAGES) - MAY_IMPORT[package]
    ]

    assert wrong == []


def room_of(module: str) -> str:
    """The folder of a module, or the module itself where it lies beside the folders."""
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("package", ROOMS)
def test_a_room_imports_only_the_rooms_that_the_table_allows(package: str) -> None:
    rooms = ROOMS[package]
    wrong = [
        f"{name} imports {target}"
        for name, tree in MODULES.items()
        if name.partition(".")[0] == package and room_of(name) in rooms
        for target in sorted(imported(tree))
        if target.partition(".")[0] == package
        and room_of(target) in rooms
        and room_of(target) not in rooms[room_of(name)] | {room_of(name)}
    ]

    assert wrong == []


def test_every_folder_of_a_package_is_a_room_of_the_table() -> None:
    for package, rooms in ROOMS.items():
        folders = {
            room_of(name)
            for name in MODULES
            if name.startswith(f"{package}.") and name.count(".") > 1
        }
        assert folders <= set(rooms), package


@pytest.mark.parametrize("folder", LONGEST)
def test_no_file_is_longer_than_a_person_reads_at_once(folder: str) -> None:
    lengths = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n")
        for path in (ROOT / folder).rglob("*.py")
    }

    assert lengths
    assert {path: n for path, n in lengths.items() if n > LONGEST[folder]} == {}


def test_the_toolkit_does_stand_on_both_pillars() -> None:
    """Without it, the test above would also pass on a parser that sees no imports."""
    seen = {
        target.partition(".")[0]
        for name, tree in MODULES.items()
        if name.partition(".")[0] == "edgekit"
        for target in imported(tree)
    }

    assert seen >= set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    own = {name: tree for name, tree in MODULES.items() if name.partition(".")[0] == package}
    graph = {name: imported(tree) & set(own) for name, tree in own.items()}

    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("edgekit", {*HEAVY, "numpy"}),
        ("edgekit.cli.main", {*HEAVY, "numpy"}),
        ("edgekit.workflows.convert", HEAVY),
        ("edgekit.workflows.validate", HEAVY),
        ("edgekit_converters", HEAVY),
        ("edgekit_runtimes", HEAVY),
    ],
)
def test_importing_loads_nothing_heavy(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()

    assert module in loaded
    assert {name.partition(".")[0] for name in loaded} & unwanted == set()


def test_every_public_name_resolves() -> None:
    public = dir(edgekit)

    assert "convert" in public
    for name in public:
        assert getattr(edgekit, name) is not None


def test_a_type_checker_sees_the_names_that_python_finds() -> None:
    declared = {
        alias.name: node.module
        for node in ast.walk(MODULES["edgekit"])
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("edgekit")
        for alias in node.names
    }

    assert set(declared) == set(dir(edgekit)) - {"__version__"}
    for name, home in declared.items():
        assert getattr(edgekit, name) is getattr(importlib.import_module(home), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'convrt'"):
        _ = edgekit.convrt


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_public_has_a_docstring(package: str) -> None:
    silent = [
        f"{name}.{node.name}"
        for name, tree in MODULES.items()
        if name.partition(".")[0] == package
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]

    assert silent == []
