"""The files that a site lays over the shipped definitions: nothing in its folder is passed over unsaid."""

from collections.abc import Mapping
from pathlib import Path

from transforms.definition_files import list_files, refuse_double_keys
from transforms.errors import DefinitionError
from transforms.kinds import ANSWERS, GLOSSARY, KINDS, SHELF
from transforms.wrong_keys import guess

ALONE = frozenset({SHELF, GLOSSARY, ANSWERS})
BESIDE = frozenset({"packages", "schemas"})  # what `nadir new` puts into an own folder, and is no definition


def lay_over(folder: Path) -> Mapping[str, Path]:
    """The files of an own folder; DefinitionError for one that would be passed over or half read."""
    files = {name: path for name, path in list_files(folder).items() if name.partition("/")[0] not in BESIDE}
    if other := sorted(path for path in folder.rglob("*.yml") if path.relative_to(folder).parts[0] not in BESIDE):
        raise DefinitionError(f"{other[0]}: only files that end in .yaml are read.", repair="Rename it.")
    places = {kind.partition("/")[0] for kind in KINDS} | {"suites"}
    for name, path in files.items():
        place, _, inside = name.partition("/")
        if (place if inside else name) not in (places if inside else ALONE):
            raise DefinitionError(
                f"{path}: nothing reads a definition there.{guess(place, places | ALONE)}",
                repair=f"Folders: {', '.join(sorted(places))}; files beside them: {', '.join(sorted(ALONE))}.",
            )
        refuse_double_keys(path)
    return files
