"""Reads every definition once, checks it, and hashes the tree.

A folder given with `--definitions` lies over the shipped one: a file at the same relative path replaces, any other
adds; files in its `suites` are laid over the validation suites; its `shelf.yaml` chooses among the cohorts. The hash
covers every file that was read and the validation suites, so a changed comma is a changed result.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from transforms.definition_files import (
    hash_files,
    list_files,
    read_definition,
    read_mapping,
    refuse_doubles,
)
from transforms.errors import DefinitionError
from transforms.kinds import ANSWERS, GLOSSARY, SHELF
from transforms.laying_over import lay_over
from transforms.model.anc import AncRoutes
from transforms.model.base import Definition, Part
from transforms.model.causality import Naranjo
from transforms.model.causes import Cause
from transforms.model.changes import Changes
from transforms.model.cohorts import Cohort, Shelf
from transforms.model.complications import Complication
from transforms.model.cycles import CycleRules
from transforms.model.disclosure import DisclosureRule
from transforms.model.drugs import DrugRules
from transforms.model.episodes import EpisodeRule
from transforms.model.estimation import Denominator, Estimation
from transforms.model.exposures import ExposureRules
from transforms.model.identifiers import CheckDigits, IdentifierClass, Identifiers, Scanning
from transforms.model.mapping import Proposing
from transforms.model.person_days import PersonDaysRule
from transforms.model.regimens import RegimenList
from transforms.model.scales import Scale
from transforms.model.showing import Showing
from transforms.model.sources import Codelist, Receiving, SourceMap
from transforms.model.standards import Standard
from transforms.model.survey import SurveyRule
from transforms.model.words import Answers, Glossary
from transforms.plugins import DEFINITIONS, load_points
from transforms.units import UnitBook, read_units

SHIPPED = Path(__file__).parent / "definitions"
SUITES = Path(__file__).parent.parent / "expectations" / "suites"

D = TypeVar("D", bound=Definition)


@dataclass(frozen=True)
class Definitions:
    """Everything that can change a published number and is not code.

    `overrides` are the files that a site or an installed package laid over; `replaced` are in a shipped one's place.
    """

    files: Mapping[str, Path]
    hash: str
    overrides: tuple[str, ...] = ()
    replaced: frozenset[str] = frozenset()

    def __hash__(self) -> int:
        """By what the files hold, so that what is read of the same definitions night after night is read once."""
        return hash(self.hash)

    @cached_property
    def anc(self) -> AncRoutes:
        """How a count is derived."""
        return self._one("anc", AncRoutes)

    @cached_property
    def scales(self) -> tuple[Scale, ...]:
        """Severity scales."""
        return self._all("scales", Scale)

    @cached_property
    def rules(self) -> tuple[EpisodeRule, ...]:
        """Episode rules."""
        return self._all("episodes", EpisodeRule)

    @cached_property
    def chronic(self) -> tuple[EpisodeRule, ...]:
        """Rules of the chronic track."""
        return self._all("chronic", EpisodeRule)

    @cached_property
    def person_days(self) -> PersonDaysRule:
        """When a day is known to be low or not low."""
        return self._one("person_days", PersonDaysRule)

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """Cause groups with their evidence and windows."""
        return self._all("causes", Cause)

    @cached_property
    def naranjo(self) -> Naranjo:
        """Points and bands of the Naranjo score."""
        return self._one("causality", Naranjo)

    @cached_property
    def exposures(self) -> ExposureRules:
        """How a drug exposure is recognised."""
        return self._one("exposures", ExposureRules)

    @cached_property
    def regimens(self) -> RegimenList:
        """Chemotherapy regimens by their agents."""
        return self._one("regimens", RegimenList)

    @cached_property
    def complications(self) -> tuple[Complication, ...]:
        """Complications, by kind and place in it."""
        found = self._all("complications", Complication)
        return tuple(sorted(found, key=lambda one: (one.kind, one.place, one.id)))

    @cached_property
    def cycles(self) -> CycleRules:
        """What a chemotherapy cycle is."""
        return self._one("cycles", CycleRules)

    @cached_property
    def drugs(self) -> DrugRules:
        """What is counted after a drug."""
        return self._one("after_drugs", DrugRules)

    @cached_property
    def cohorts(self) -> tuple[Cohort, ...]:
        """Cohorts, or those of them that `shelf.yaml` names."""
        every, path = self._all("cohorts", Cohort), self.files.get(SHELF)
        return every if path is None else read_definition(path, Shelf).choose(every)

    @cached_property
    def denominators(self) -> tuple[Denominator, ...]:
        """Denominators by name."""
        return self._all("denominators", Denominator)

    @cached_property
    def estimation(self) -> Estimation:
        """Confidence level, horizons, interval methods."""
        return self._one("estimation", Estimation)

    @cached_property
    def calibration(self) -> pl.DataFrame:
        """How far estimates of durations lay from the truth where it was known, a row a situation; empty if unknown."""
        path = self.files.get("estimation/calibration.csv")
        return pl.read_csv(path) if path else pl.DataFrame()

    @cached_property
    def survey(self) -> SurveyRule:
        """How weighted shares of a survey are made."""
        return self._one("survey", SurveyRule)

    @cached_property
    def standards(self) -> tuple[Standard, ...]:
        """Standard populations."""
        return self._all("standards", Standard)

    @cached_property
    def disclosure(self) -> tuple[DisclosureRule, ...]:
        """Disclosure rules, one a channel."""
        return self._all("disclosure", DisclosureRule)

    @cached_property
    def source_maps(self) -> tuple[SourceMap, ...]:
        """Shipped maps of local exports."""
        return self._all("source_maps", SourceMap)

    @cached_property
    def receiving(self) -> Receiving:
        """What happens to a row on its way in."""
        return self._one("receiving", Receiving)

    @cached_property
    def proposing(self) -> Proposing:
        """How a source map is proposed."""
        return self._one("mapping", Proposing)

    @cached_property
    def changes(self) -> Changes:
        """What may change from one night to the next."""
        return self._one("changes", Changes)

    @cached_property
    def showing(self) -> Showing:
        """When a text that came with an extract may be shown."""
        return self._one("showing", Showing)

    @cached_property
    def identifier_classes(self) -> tuple[IdentifierClass, ...]:
        """Classes of identifiers, and of what a limited data set may keep."""
        return self._all("identifiers/classes", IdentifierClass)

    @cached_property
    def check_digits(self) -> CheckDigits:
        """Check digits by name."""
        return self._one("identifiers/checks", CheckDigits)

    @cached_property
    def scanning(self) -> Scanning:
        """How tables are searched for identifiers."""
        return self._one("identifiers/scanning", Scanning)

    @cached_property
    def identifiers(self) -> Identifiers:
        """All that the search for identifiers knows."""
        return Identifiers(
            classes=self.identifier_classes,
            scanning=self.scanning,
            checks=self.check_digits.checks,
            names=pl.read_csv(self.files["identifiers/scanning/person_names.csv"], infer_schema=False),
            datetime_formats=self.proposing.datetime_formats,
        )

    @cached_property
    def codelists(self) -> Mapping[str, Codelist]:
        """What each code list is, by id."""
        return {entry.id: entry for entry in self._all("codelists", Codelist)}

    @cached_property
    def units(self) -> UnitBook:
        """What the spellings of units stand for."""
        return read_units(self.codes("units"))

    @cached_property
    def glossary(self) -> Mapping[str, Any]:
        """Words of the report and the tables."""
        return self._words(GLOSSARY, Glossary)

    @cached_property
    def answers(self) -> Mapping[str, Any]:
        """Sentences of what an extract can and cannot answer."""
        return self._words(ANSWERS, Answers)

    @property
    def own_suites(self) -> tuple[Path, ...]:
        """Validation suites that were laid over the shipped ones, by name."""
        return tuple(path for name, path in sorted(self.files.items()) if name.startswith("suites/"))

    def codes(self, name: str) -> pl.DataFrame:
        """A code list as text columns, in file order; an empty cell is null."""
        entry = self.codelists.get(name)
        if entry is None:
            raise DefinitionError(f"There is no code list {name!r}.", details=sorted(self.codelists))
        return pl.read_csv(self.files[f"codelists/{entry.file}"], infer_schema=False)

    def all(self) -> tuple[Definition, ...]:
        """Every definition, in a fixed order."""
        listed: list[Definition] = [self.anc, *self.scales, *self.rules, *self.causes, self.naranjo]
        listed += [self.exposures, self.regimens, self.cycles, *self.chronic, self.person_days, *self.complications]
        listed += [self.drugs, *self.cohorts]
        listed += [*self.denominators, self.estimation, self.survey, *self.standards, *self.disclosure]
        listed += [*self.source_maps]
        listed += [self.receiving, self.proposing, self.changes, self.showing, *self.codelists.values()]
        listed += [*self.identifier_classes, self.check_digits, self.scanning]
        return tuple(listed)

    def check(self) -> None:
        """Read every file; DefinitionError for the first that is wrong."""
        self.all()
        self._words(GLOSSARY, Glossary)
        self._words(ANSWERS, Answers)

    def _words(self, name: str, kind: type[Part]) -> Mapping[str, Any]:
        """A file of words as it is written, once it is known to be one; folders without it have none."""
        if name not in self.files:
            return {}
        read_definition(self.files[name], kind)
        return read_mapping(self.files[name])

    def _all(self, folder: str, kind: type[D]) -> tuple[D, ...]:
        paths = {
            name: path for name, path in self.files.items() if name.startswith(f"{folder}/") and name.endswith(".yaml")
        }
        found = [read_definition(path, kind) for _, path in sorted(paths.items())]
        refuse_doubles(found, folder)
        return tuple(sorted(found, key=lambda definition: definition.id))

    def _one(self, folder: str, kind: type[D]) -> D:
        found = self._all(folder, kind)
        if len(found) != 1:
            raise DefinitionError(f"definitions/{folder} must hold exactly one definition; it holds {len(found)}.")
        return found[0]


def load_definitions(overlay: Path | None = None, *, shipped: Path = SHIPPED, suites: Path = SUITES) -> Definitions:
    """The shipped definitions with `overlay` laid over them; every file is checked at once, not at 3 a.m."""
    if overlay is not None and not overlay.is_dir():
        raise DefinitionError(
            f"The definitions folder {overlay} is not there.",
            repair="Name an existing folder, or start one: nadir new.",
        )
    own = list_files(shipped)
    laid: dict[str, Path] = {}
    for folder in (*load_points(DEFINITIONS, Path).values(), *([overlay] if overlay else [])):
        laid |= lay_over(folder)
    files = {**own, **laid}
    replaced = frozenset(own) & frozenset(laid)
    return _check_all(tuple(files.items()), hash_files(files, list_files(suites)), tuple(sorted(laid)), replaced)


@lru_cache(maxsize=8)
def _check_all(
    files: tuple[tuple[str, Path], ...], digest: str, overrides: tuple[str, ...], replaced: frozenset[str]
) -> Definitions:
    """Every file read and checked; a process that runs many nights does so again only when one has changed."""
    definitions = Definitions(dict(files), digest, overrides, replaced)
    definitions.check()
    return definitions
