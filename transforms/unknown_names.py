"""Names in definitions that no list knows.

A drug, group, role or test that is misspelt would match nobody, silently; a unit that nobody knows would set every row
aside.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

import polars as pl
from pydantic import BaseModel

from transforms.codelists import read_conditions, read_drugs
from transforms.definition_files import find_file
from transforms.errors import DefinitionError
from transforms.load import Definitions
from transforms.model.causes import CodeEvidence, DrugEvidence, Finding
from transforms.model.cohorts import DiagnosisCriterion, ExposureCriterion
from transforms.model.complications import CodeGroup
from transforms.model.episodes import Anchor
from transforms.model.sources import SourceMap
from transforms.units import normalise_unit
from transforms.wrong_keys import guess, point_at

Lists = Mapping[str, AbstractSet[str]]
Place = tuple[int | str, ...]
SHOWN = 40


@dataclass(frozen=True)
class UnknownName:
    """Where a name stands that is in none of the lists, and the names that are."""

    place: Place
    name: str
    known: AbstractSet[str]

    def say(self) -> str:
        """`'clozapin' is not known. Did you mean clozapine?`, or all valid names where they are few."""
        valid = f" Valid: {', '.join(sorted(self.known))}." if len(self.known) <= SHOWN else ""
        return f"{self.name!r} is not known.{guess(self.name, self.known)}{valid}"


@lru_cache(maxsize=8)
def refuse_unknown_names(definitions: Definitions) -> None:
    """DefinitionError with file, line and the names that are meant, when a definition names what no list has."""
    lists = _lists_by_part(definitions)
    judged: Mapping[str, tuple[BaseModel, ...]] = {
        "causes": definitions.causes,
        "cohorts": definitions.cohorts,
        "episodes": definitions.rules,
        "chronic": definitions.chronic,
        "complications": definitions.complications,
    }
    for folder, entries in judged.items():
        for entry in entries:
            if unknown := list(_unknown_in(entry, lists, ())):
                raise _error(definitions, folder, str(getattr(entry, "id", "")), unknown)


def refuse_unknown_units(definitions: Definitions) -> None:
    """The same for the units and tests of source maps that lie with the definitions."""
    for source_map in definitions.source_maps:
        wrong = find_unknown_units(source_map, definitions)
        unknown = [UnknownName(place, str(place[-1]), frozenset(valid)) for place, valid in wrong]
        if unknown := [*unknown, *find_unknown_tests(source_map, definitions)]:
            raise _error(definitions, "source_maps", source_map.id, unknown)


def _lists_by_part(definitions: Definitions) -> Mapping[type[BaseModel], Lists]:
    drugs, conditions = read_drugs(definitions), read_conditions(definitions)
    of_drugs = {to: set(drugs[name]) for to, name in (("drugs", "drug"), ("subgroups", "subgroup"))}
    of_drugs["cause_groups"] = set(drugs["cause_group"])
    subgroups = set(conditions["subgroup"])
    of_codes = {
        "subgroups": subgroups,
        "except_subgroups": subgroups,
        "cause_groups": set(conditions["cause_group"]),
        "roles": set(conditions["role"]),
        "prefixes": set(conditions["code_system"]),
    }
    tests = {"analyte": set(definitions.codes("labs")["analyte"].drop_nulls())}
    return {
        **dict.fromkeys((DrugEvidence, ExposureCriterion, Anchor), of_drugs),
        **dict.fromkeys((CodeEvidence, DiagnosisCriterion, CodeGroup), of_codes),
        Finding: tests,
    }


def _unknown_in(part: BaseModel, lists: Mapping[type[BaseModel], Lists], place: Place) -> Iterator[UnknownName]:
    for key in type(part).model_fields:
        value = getattr(part, key)
        known = lists.get(type(part), {}).get(key)
        if known is not None and value is not None:
            names = [value] if isinstance(value, str) else list(value)
            steps: list[Place] = [(key,) if isinstance(value, str) else (key, n) for n, _ in enumerate(names)]
            if isinstance(value, Mapping):
                steps = [(key, name) for name in names]
            yield from (
                UnknownName((*place, *s), n, known) for s, n in zip(steps, names, strict=True) if n not in known
            )
        for step, inner in _inner(key, value):
            yield from _unknown_in(inner, lists, (*place, *step))


def _inner(key: str, value: object) -> Iterator[tuple[Place, BaseModel]]:
    if isinstance(value, BaseModel):
        yield (key,), value
    elif isinstance(value, tuple):
        yield from (((key, n), each) for n, each in enumerate(value) if isinstance(each, BaseModel))


def _error(definitions: Definitions, folder: str, name: str, unknown: list[UnknownName]) -> DefinitionError:
    path = find_file(definitions.files, folder, name)
    text = path.read_text(encoding="utf-8") if path else ""
    said = [f"{point_at(path.name, text, each.place)}: {each.say()}" if path else each.say() for each in unknown]
    return DefinitionError(
        f"{path or name}: names what no code list has; it would match nobody.",
        details=said,
        repair="Correct the name, or lay a code list of your own beside it (codelists/drugs_NAME.yaml).",
    )


def find_unknown_tests(source_map: SourceMap, definitions: Definitions) -> Sequence[UnknownName]:
    """Codes into which a map translates, and LOINC codes of its wide columns, that codelists/labs.csv does not have."""
    known = frozenset(definitions.codes("labs")["loinc"].drop_nulls())
    named: list[tuple[Place, str]] = [(("codes", sent), code) for sent, code in source_map.codes.items()]
    if source_map.code_system == "loinc":
        named += [
            (("tables", number, "wide", header, "code"), column.code)
            for number, table in enumerate(source_map.tables)
            for header, column in table.wide.items()
            if column.code not in source_map.codes
        ]
    return [UnknownName(place, code, known) for place, code in named if code not in known]


def find_unknown_units(source_map: SourceMap, definitions: Definitions) -> Sequence[tuple[Place, Collection[str]]]:
    """Where a source map names a unit that no list has, with the spellings that are valid for counts and shares."""
    units = definitions.codes("units")
    book = definitions.units
    known = {spelling.casefold() for _, spelling in (*book.exact, *book.folded)}
    known |= {normalise_unit(spelling).casefold() for spelling in source_map.unit_spellings}
    counts = (
        units.filter(pl.col("kind").is_in(["count", "percent", "fraction"]))["ucum_code"].drop_nulls().unique().sort()
    )
    named: dict[Place, str] = {}
    for key in ("units", "unit_spellings"):
        named |= {(key, code): unit for code, unit in getattr(source_map, key).items()}
    for n, table in enumerate(source_map.tables):
        named |= {("tables", n, "wide", name, "unit"): column.unit for name, column in table.wide.items()}
        named |= {("tables", n, "unit_rules", i, "unit"): rule.unit for i, rule in enumerate(table.unit_rules)}
    wrong = [place for place, unit in named.items() if unit and normalise_unit(unit).casefold() not in known]
    return [(place, counts.to_list()) for place in wrong]
