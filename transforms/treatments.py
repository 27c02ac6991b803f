"""What an episode can depend on beside the counts: deaths, doses, growth factors, drugs that raise the count, anchors.

One frame of each, by person; which drug is which is said by `definitions/exposures` and by the anchors of the rules.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import polars as pl

from transforms.exposures import chemotherapy_doses, gcsf_doses
from transforms.model.episodes import EpisodeRule
from transforms.model.exposures import ExposureRules

RAISING = ("steroid", "lithium")


@dataclass(frozen=True)
class Treatments:
    """By person_index. deaths: died_on. doses and gcsf: day. raising: kind, first_day, last_day. anchors: drug, day.

    `doses` are cytotoxic, `gcsf` growth factors; `raising` are spans of drugs that raise the count (kind: steroid or
    lithium); `anchors` are doses of drugs that anchor a rule.
    """

    deaths: pl.DataFrame
    doses: pl.DataFrame
    gcsf: pl.DataFrame
    raising: pl.DataFrame
    anchors: pl.DataFrame

    @cached_property
    def lasting(self) -> Mapping[str, pl.DataFrame]:
        """By kind (gcsf, steroid, lithium) person_index, day and last_day: until when what began by that day lasts."""
        spans = {"gcsf": self.gcsf.with_columns(last_day="day")}
        for kind in RAISING:
            own = self.raising.filter(pl.col("kind") == kind)
            spans[kind] = own.select("person_index", "last_day", day="first_day")
        last_day = pl.col("last_day").cum_max().over("person_index")
        return {kind: given.with_columns(last_day) for kind, given in spans.items()}

    def of_people(self, people: pl.DataFrame) -> "Treatments":
        """Those of some people alone."""
        kept = {
            each.name: getattr(self, each.name).join(people, on="person_index", how="semi", maintain_order="left")
            for each in fields(self)
        }
        return replace(self, **kept)


def read_treatments(
    recognised: pl.LazyFrame, deaths: pl.LazyFrame, exposures: ExposureRules, rules: Iterable[EpisodeRule]
) -> Treatments:
    """Treatments of everybody. `recognised` is what `recognise_drugs` gives; `deaths`: person_index, died_on."""
    drugs = {drug for rule in rules if rule.anchor for drug in rule.anchor.drugs}
    started = pl.col("started_at").dt.date()
    anchors = recognised.filter(pl.col("drug").is_in(drugs)).select("person_index", "drug", day=started)
    doses, gcsf = (
        given.select("person_index", day=pl.col("given_at").dt.date())
        for given in (chemotherapy_doses(recognised), gcsf_doses(recognised))
    )
    return order_treatments(deaths, doses, gcsf, _spans_of_raising(recognised, exposures), anchors)


def order_treatments(
    deaths: pl.LazyFrame, doses: pl.LazyFrame, gcsf: pl.LazyFrame, raising: pl.LazyFrame, anchors: pl.LazyFrame
) -> Treatments:
    """Each day once and in order; of several deaths of a person the first."""
    ordered = [
        given.unique().sort(given.collect_schema().names()).collect(engine="in-memory")
        for given in (doses, gcsf, raising, anchors)
    ]
    return Treatments(deaths.group_by("person_index").agg(pl.col("died_on").min()).collect(), *ordered)


def _spans_of_raising(recognised: pl.LazyFrame, exposures: ExposureRules) -> pl.LazyFrame:
    kinds = [(drug, kind) for kind, drugs in exposures.raising_drugs.items() for drug in drugs]
    named = pl.LazyFrame(kinds, schema={"drug": pl.String, "kind": pl.String}, orient="row")
    return recognised.join(named, on="drug").select(
        "person_index",
        "kind",
        first_day=pl.col("started_at").dt.date(),
        last_day=pl.col("ended_at").dt.date(),
    )
