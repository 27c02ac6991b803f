"""What installed packages of a site add to nadir, each named as an entry point in its own `pyproject.toml`.

    [project.entry-points."nadir.sources"]      # an adapter: `flows.sources.protocol.Layout`
    [project.entry-points."nadir.charts"]       # a chart: a function that gives a `reports.charts.spec.Chart`
    [project.entry-points."nadir.definitions"]  # a folder of definitions, laid over the shipped one: a `Path`

What is shipped is named in the same way (`shipped_point`), so that the two are found and loaded alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from transforms.errors import DefinitionError

SOURCES, CHARTS, DEFINITIONS = "nadir.sources", "nadir.charts", "nadir.definitions"
GROUPS = (SOURCES, CHARTS, DEFINITIONS)
ACTS = frozenset({".py", ".yaml", ".csv"})
T = TypeVar("T")


def shipped_point(group: str, name: str, value: str) -> EntryPoint:
    """An entry point of nadir's own: `value` is `module:attribute`."""
    return EntryPoint(name, value, group)


@cache
def added_points(group: str) -> tuple[EntryPoint, ...]:
    """What installed packages name in a group, by name."""
    return tuple(sorted(entry_points(group=group), key=lambda point: (point.name, point.value)))


def load_points(group: str, kind: type[T], shipped: Sequence[EntryPoint] = ()) -> Mapping[str, T]:
    """Everything of a group by name; DefinitionError when one cannot be loaded, is no `kind`, or takes a name twice."""
    loaded: dict[str, T] = {}
    for point in (*shipped, *added_points(group)):
        if point.name in loaded:
            raise _wrong(point, "takes a name that is taken", "Give it another name in its pyproject.toml.")
        loaded[point.name] = _load(point, kind)
    return loaded


def added_packages() -> Mapping[str, str]:
    """The installed packages that add something, with their versions."""
    found = (point.dist for group in GROUPS for point in added_points(group) if point.dist)
    return dict(sorted((one.name, one.version) for one in found))


def added_files() -> Sequence[tuple[str, Path]]:
    """Every file of those packages that can change a result, by a name that does not tell where it lies."""
    modules = sorted({point.module.partition(".")[0] for group in GROUPS for point in added_points(group)})
    return [found for module in modules for found in _files_of(module)]


def _files_of(module: str) -> Iterable[tuple[str, Path]]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return ()
    origin = Path(spec.origin)
    if not spec.submodule_search_locations:
        return ((origin.name, origin),)
    folder = origin.parent
    inside = sorted(path for path in folder.rglob("*") if path.suffix in ACTS)
    return [(f"{module}/{path.relative_to(folder).as_posix()}", path) for path in inside]


def _load(point: EntryPoint, kind: type[T]) -> T:
    try:
        loaded = point.load()
    except Exception as error:
        raise _wrong(point, f"cannot be loaded ({type(error).__name__}: {error})", "Repair or uninstall it.") from error
    if not isinstance(loaded, kind):
        raise _wrong(point, f"is a {type(loaded).__name__} and no {kind.__name__}", "Correct its pyproject.toml.")
    return loaded


def _wrong(point: EntryPoint, what: str, repair: str) -> DefinitionError:
    package = point.dist.name if point.dist else "nadir"
    return DefinitionError(f"{point.group} {point.name!r} of the package {package} {what}.", repair=repair)
