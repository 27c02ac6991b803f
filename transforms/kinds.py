"""What each folder of definitions holds, and how the examples there are written.

Whoever loads, checks, starts or publishes a definition asks here, so that the schema an editor reads is that of the
models that judge the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transforms.model.anc import AncRoutes
from transforms.model.base import Part
from transforms.model.causality import Naranjo
from transforms.model.cause_examples import CauseExample, ScoreExample
from transforms.model.causes import Cause
from transforms.model.changes import ChangeExample, Changes
from transforms.model.cohorts import Cohort
from transforms.model.complications import Complication
from transforms.model.cycles import CycleRules
from transforms.model.day_examples import CycleExample, PersonDaysExample
from transforms.model.disclosure import DisclosureRule
from transforms.model.drugs import DrugRules, RatioExample
from transforms.model.episode_examples import EpisodeExample
from transforms.model.episodes import EpisodeRule
from transforms.model.estimation import Denominator, Estimation
from transforms.model.examples import (
    AncExample,
    CellExample,
    CodeExample,
    CohortExample,
    ComplicationExample,
    NameExample,
    PersonExample,
    RegimenExample,
    ScaleExample,
    ShareExample,
    SpecimenExample,
    SurveyExample,
)
from transforms.model.exposures import ExposureRules
from transforms.model.identifiers import CheckDigits, CheckExample, IdentifierClass, IdentifierExample, Scanning
from transforms.model.mapping import Proposing, ProposingExample
from transforms.model.person_days import PersonDaysRule
from transforms.model.regimens import RegimenList
from transforms.model.scales import Scale
from transforms.model.showing import Showing, ShowingExample
from transforms.model.source_examples import LabExample, MapExample, ReceivingExample, UnitExample
from transforms.model.sources import Codelist, Receiving, SourceMap
from transforms.model.standards import Standard, StandardExample
from transforms.model.survey import SurveyRule

SHELF, GLOSSARY, ANSWERS = "shelf.yaml", "glossary.yaml", "answers.yaml"


@dataclass(frozen=True)
class Kind:
    """The model that judges a file, those of its examples, and the column of the tables in which its id stands.

    What `is_local` says how one hospital's files are read or watched: where it differs, counts mean the same.
    """

    model: type[Part]
    examples: tuple[type[Part], ...] = ()
    column: str = ""
    is_local: bool = False

    def schema(self) -> dict[str, Any]:
        """JSON Schema of a file of this kind, its examples included."""
        schema = self.model.model_json_schema()
        if self.examples:
            shapes = [example.model_json_schema(ref_template=_REFERENCE) for example in self.examples]
            shared = schema.setdefault("$defs", {})
            for shape in shapes:
                shared.update(shape.pop("$defs", {}))
            schema["properties"]["examples"]["items"] = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


_REFERENCE = "#/$defs/{model}"

KINDS: Mapping[str, Kind] = {
    "after_drugs": Kind(DrugRules, (RatioExample,)),
    "anc": Kind(AncRoutes, (AncExample,)),
    "causality": Kind(Naranjo, (ScoreExample,)),
    "causes": Kind(Cause, (CauseExample,), "cause_group"),
    "changes": Kind(Changes, (ChangeExample,), is_local=True),
    "chronic": Kind(EpisodeRule, (EpisodeExample,), "rule"),
    "codelists": Kind(Codelist, (CodeExample, UnitExample, LabExample, NameExample)),
    "cohorts": Kind(Cohort, (CohortExample,), "cohort"),
    "complications": Kind(Complication, (ComplicationExample,), "complication"),
    "cycles": Kind(CycleRules, (CycleExample,)),
    "denominators": Kind(Denominator, (SpecimenExample, PersonExample), "denominator_name"),
    "disclosure": Kind(DisclosureRule, (CellExample,), "channel"),
    "episodes": Kind(EpisodeRule, (EpisodeExample,), "rule"),
    "estimation": Kind(Estimation, (ShareExample,)),
    "exposures": Kind(ExposureRules, (NameExample,)),
    "identifiers/checks": Kind(CheckDigits, (CheckExample,), is_local=True),
    "identifiers/classes": Kind(IdentifierClass, (IdentifierExample,), "identifier_class", is_local=True),
    "identifiers/scanning": Kind(Scanning, (IdentifierExample,), is_local=True),
    "mapping": Kind(Proposing, (ProposingExample,), is_local=True),
    "person_days": Kind(PersonDaysRule, (PersonDaysExample,)),
    "receiving": Kind(Receiving, (ReceivingExample,)),
    "regimens": Kind(RegimenList, (RegimenExample,)),
    "scales": Kind(Scale, (ScaleExample,), "scale"),
    "showing": Kind(Showing, (ShowingExample,)),
    "source_maps": Kind(SourceMap, (MapExample,), is_local=True),
    "standards": Kind(Standard, (StandardExample,), "standard"),
    "survey": Kind(SurveyRule, (SurveyExample,)),
}


def is_counted_by(name: str) -> bool:
    """Whether counts mean something else where the definition file of this name does; not so of words."""
    folders = [place for place in KINDS if name.startswith(f"{place}/")]
    return name not in {GLOSSARY, ANSWERS} and not any(KINDS[place].is_local for place in folders)
