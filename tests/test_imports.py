"""Which room may import which, and which library: what docs/architecture.md draws."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import landslide_cli

PACKAGE = Path(landslide_cli.__file__).parent

# What each room may import of the others, besides its own modules.
SMALL = {"errors", "reporting"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "version": set(),
    "reporting": set(),
    "weights": set(),
    "owners": set(),
    "outputs": {"errors", "owners"},
    "locks": {"errors", "outputs", "owners"},
    "documents": {"errors", "outputs", "weights"},
    "records": {"documents", "errors"},
    "console": {"reporting"},
    "core": {"errors"},
    "profile": {"core", "errors", "weights"},
    "core.networks": {"core", "errors", "profile", "weights"},
    "imagery": {"core", "errors", "outputs"},
    "processes": SMALL,
    "dataset": {"core", "documents", "errors", "imagery", "outputs", "profile", "records"},
    "training_data": {
        "core",
        "core.networks",
        "dataset",
        "errors",
        "imagery",
        "outputs",
        "profile",
    },
    "runs": {
        *("core", "core.networks", "dataset", "documents", "imagery", "outputs", "profile"),
        *("locks", "processes", "records", "weights", *SMALL),
    },
    "stages": {
        *("core", "core.networks", "dataset", "documents", "imagery", "outputs", "processes"),
        *("locks", "owners", "profile", "records", "runs", "training_data", "version", *SMALL),
    },
    "hints": {"errors"},
    "app": {"console", "core", "hints", "profile", "stages", "version", *SMALL},
    "__main__": {"app"},
    "api": {"console", "core", "imagery", "profile", "runs", "stages", *SMALL},
    "package": {"api", "version"},
}

# Where a library may be imported, by room or by module; inside functions too.
OWNERS: dict[str, set[str]] = {
    "tensorflow": {"core.networks.backend", "stages.train.workers"},
    "keras": {"core.networks.backend"},
    "openvino": {"runs.onnx_model", "runs.openvino_library"},
    "nncf": {"runs.quantization"},
    "onnx": {"runs.onnx_model", "runs.onnx_operations"},
    "onnxruntime": {"runs.onnx_model"},
    "rasterio": {"imagery"},
    "shapely": {"imagery"},
    "affine": {"imagery"},
    "pyogrio": {"imagery.vector", "imagery.raster.addresses", "core.networks.backend"},
    "cv2": {"core", "imagery", "dataset", "training_data", "processes"},
    "matplotlib": {"imagery.diagram", "imagery.figures", "imagery.plots"},
    "jinja2": {"stages.show.report.page"},
    "markupsafe": {"stages.show.report.page"},
    "PIL": {"imagery.pictures", "imagery.raster.orientation"},
    "psutil": {"core.memory", "owners"},
    "threadpoolctl": {"imagery"},
    "distributed": {"stages.infer.cluster"},
    "pydantic": {"documents", "profile"},
    "yaml": {"profile"},
    "typer": {"app"},
    "geopandas": {"api"},
    "pandas": {"api"},
    "rich": {"console"},
    "tqdm": {"console"},
}

# Rooms from which TensorFlow is never reached at import.
WITHOUT_TENSORFLOW = ("core", "profile", "imagery", "dataset", "records", "outputs", "console")


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "package"


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    """The room of a module; networks lie in core and above the profile."""
    if module.split(".")[:2] == ["core", "networks"]:
        return "core.networks"
    return module.split(".", maxsplit=1)[0]


def imported(path: Path, only_at_import: bool = False) -> Iterator[str]:
    """All modules that a file imports, by their full names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = top_level(tree) if only_at_import else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from names
            # Of a package only modules may be meant.
            if not {name.removeprefix("landslide_cli.") for name in names} <= set(MODULES):
                yield node.module


def top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs when a module is imported: not the bodies of functions, nor typing's imports."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        is_typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if is_typing or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


@cache
def own_imports(module: str, only_at_import: bool = False) -> frozenset[str]:
    """The modules of the package that a module imports."""
    names = imported(MODULES[module], only_at_import)
    inside = {name.removeprefix("landslide_cli").lstrip(".") or "package" for name in names
              if name.split(".")[0] == "landslide_cli"}  # fmt: skip
    return frozenset((inside & set(MODULES)) - {module})


@pytest.mark.parametrize("module", list(MODULES))
def test_modules_import_only_from_rooms_below(module: str) -> None:
    room = room_of(module)
    allowed = ALLOWED[room] | {room}
    above = [name for name in own_imports(module) if room_of(name) not in allowed]
    assert above == [], f"{module} may import {sorted(allowed)} alone"


def test_every_room_has_its_rule() -> None:
    assert {room_of(module) for module in MODULES} == set(ALLOWED)


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("stages.")])
def test_no_stage_imports_another(module: str) -> None:
    stage = module.split(".")[1]
    stages = [name for name in own_imports(module) if name.startswith("stages.")]
    assert [name for name in stages if name.split(".")[1] != stage] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: own_imports(module, only_at_import=True) for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_rooms_are_in_one_order() -> None:
    TopologicalSorter(ALLOWED).prepare()


@pytest.mark.parametrize("module", list(MODULES))
def test_libraries_are_imported_by_their_owners(module: str) -> None:
    libraries = {name.split(".")[0] for name in imported(MODULES[module])} & set(OWNERS)
    foreign = [
        library
        for library in libraries
        if not any(f"{module}.".startswith(f"{owner}.") for owner in OWNERS[library])
    ]
    assert foreign == [], f"{module} is no owner"


def reached(module: str, only_at_import: bool = False) -> set[str]:
    """The module and all that it imports, directly or in a chain."""
    found, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(own_imports(name, only_at_import))
    return found


@pytest.mark.parametrize(
    "module", [name for name in MODULES if room_of(name) in WITHOUT_TENSORFLOW]
)
def test_tensorflow_is_not_reached_from_the_lower_rooms(module: str) -> None:
    assert "core.networks.backend" not in reached(module)


def test_inventories_are_compared_without_tensorflow() -> None:
    # What is called lies in rooms without it; only the stage's own modules know models.
    modules = reached("stages.evaluate.inventory", only_at_import=True) | {"stages.evaluate"}
    names = set().union(*(reached(module, only_at_import=True) for module in modules))
    assert "core.networks.backend" not in names
