"""The people of a drawn hospital in forty cohorts: the shipped shelf, and what a site adds by sex, age and treatment.

Who is in which is drawn, but so that cohorts lie in each other and apart as their definitions say. Nobody ages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tests.disclosure.drawn_hospital import MEMBERS, SEVERITY_BELOW, Entry
from tests.disclosure.reading_people import Background
from transforms.cohort_order import order_cohorts
from transforms.load import Definitions
from transforms.model.cohorts import Cohort

YEARS = (
    pl.when(pl.col("age") < 0)
    .then(-1)
    .when(pl.col("age") < 18)
    .then(pl.col("person_index") % 18)
    .when(pl.col("age") < 65)
    .then(18 + pl.col("person_index") * 7 % 47)
    .otherwise(65 + pl.col("person_index") % 30)
)
AGES = {
    "infants": (0, 0),
    "children_1_to_4": (1, 4),
    "children_5_to_11": (5, 11),
    "adolescents": (12, 17),
    "age_18_to_39": (18, 39),
    "age_40_to_64": (40, 64),
}
# Of a thousand people, and whether they are among those on chemotherapy.
DRAWN = {
    "anti_cd20": (20, False),
    "antithyroid": (15, False),
    "autoimmune": (80, False),
    "co_trimoxazole": (90, False),
    "dialysis": (30, False),
    "duffy_null": (60, False),
    "haematological_malignancy": (70, False),
    "hiv": (25, False),
    "inpatients": (400, False),
    "solid_tumour": (150, False),
    "chemotherapy_acute_leukaemia": (150, True),
    "chemotherapy_anthracycline": (300, True),
    "chemotherapy_fluoropyrimidine": (250, True),
    "chemotherapy_platinum": (350, True),
    "chemotherapy_taxane": (250, True),
    "first_chemotherapy": (600, True),
}
OF_A_SITE = {
    "men_adults": ("men", "adults"),
    "women_adults": ("women", "adults"),
    "men_65_plus": ("men", "age_65_plus"),
    "women_65_plus": ("women", "age_65_plus"),
    "boys": ("men", "children"),
    "girls": ("women", "children"),
    "men_on_chemotherapy": ("men", "chemotherapy"),
    "women_on_chemotherapy": ("women", "chemotherapy"),
    "adults_on_chemotherapy": ("adults", "chemotherapy"),
}


@dataclass(frozen=True)
class Shelf:
    """Cohorts as they are defined, who is in each, and what a reader of their definitions knows."""

    cohorts: tuple[Cohort, ...]
    members: Mapping[str, pl.Expr]
    entries: Sequence[Entry]
    background: Background


def draw_shelf(definitions: Definitions) -> Shelf:
    """All cohorts that ship, and nine of a site."""
    shipped = {cohort.id: cohort for cohort in definitions.cohorts}
    added = [_define(shipped, name, parts) for name, parts in OF_A_SITE.items()]
    cohorts = (*definitions.cohorts, *added)
    order = order_cohorts(cohorts)
    apart = (
        *order.apart,
        *(
            (whole, (f"{one}_{of}", f"{other}_{of}"))
            for whole, of in (("adults", "adults"), ("age_65_plus", "65_plus"), ("chemotherapy", "on_chemotherapy"))
            for one, other in [("men", "women")]
        ),
        ("children", ("boys", "girls")),
        ("men", ("boys", "men_adults")),
        ("women", ("girls", "women_adults")),
        ("everyone", ("boys", "girls", "men_adults", "women_adults")),
    )
    members = _members()
    steps = tuple((name, 1, parts[0]) for name, parts in OF_A_SITE.items())
    return Shelf(cohorts, members, _enter(cohorts, members), Background(order.inside, apart, SEVERITY_BELOW, steps))


def _enter(cohorts: Sequence[Cohort], members: Mapping[str, pl.Expr]) -> Sequence[Entry]:
    """Who has the first parts of what a cohort asks for; of a shipped one, whoever has any part has all of it."""
    asked = [(cohort.id, n) for cohort in cohorts for n in range(1, len(cohort.criterion.all_of or ()))]
    return [(name, n, members[OF_A_SITE.get(name, (name,))[0]]) for name, n in asked]


def _define(shipped: Mapping[str, Cohort], name: str, parts: tuple[str, str]) -> Cohort:
    criterion = {"all_of": [shipped[part].criterion.model_dump(exclude_unset=True) for part in parts]}
    whole = shipped[parts[0]].model_dump(exclude_unset=True)
    return Cohort.model_validate({**whole, "id": name, "criterion": criterion, "examples": []})


def _members() -> Mapping[str, pl.Expr]:
    members = dict(MEMBERS)
    members |= {name: YEARS.is_between(*ends) for name, ends in AGES.items()}
    for number, (name, (per_thousand, is_chemotherapy)) in enumerate(DRAWN.items()):
        is_drawn = pl.col("person_index").hash(number) % 1000 < per_thousand
        members[name] = is_drawn & pl.col("is_chemotherapy") if is_chemotherapy else is_drawn
    members["monitored_adults"] = members["adults"] & (pl.col("person_index") % 3 == 0)
    return members | {name: members[one] & members[other] for name, (one, other) in OF_A_SITE.items()}
