"""Every episode gets all its candidate causes, ranked, and exactly one primary suspect.

Candidates come from drugs, diagnoses and laboratory findings in their windows, and from patterns of the counts.
Cytotoxics are expected toxicity; other drugs get a WHO-UMC category from window, dechallenge, rechallenge and
competition, and are unlikely where the count was low already when they were begun; the rest supports. The order of
suspects is the `precedence` of the causes; ties go to the higher prior risk, then the shorter time, then the name.
Without a deciding candidate the episode is unexplained, or there was too little data to say. Suspected is all that this
claims. Obeys `definitions/causes`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl

from transforms.candidates import find_drug_candidates, keep_best, list_doses
from transforms.causality import look_back, weigh
from transforms.challenge import judge_dechallenge
from transforms.code_candidates import Beside, find_code_candidates, read_codes, read_contrary
from transforms.doubts import add_early, split_early, tell_certain_windows, tell_reverse
from transforms.errors import DefinitionError
from transforms.findings import find_lab_candidates, read_findings
from transforms.lots import share_out
from transforms.model.causality import Naranjo
from transforms.model.causes import Cause, Challenge
from transforms.naranjo import score_naranjo
from transforms.patterns import find_patterns
from transforms.ranking import EPISODE, find_primary, rank_candidates
from transforms.spans import to_spans
from transforms.strata import age_in, read_ages

ONSET = ("person_index", "onset_after", "first_low_at", "recovery_by")
SEEN = ("onset_after", "last_low_at", "recovery_by", "ended_as", "nadir_cells_per_ul")
_AT_A_TIME = 60_000  # episodes; a call has a price of its own, that of some 6,000 of them
KIND = ("cause_group", "evidence_number")
KIND_SCHEMA: dict[str, pl.DataType] = {"cause_group": pl.String(), "evidence_number": pl.Int32()}


@dataclass(frozen=True)
class Evidence:
    """What is known beside the counts: `recognised` from `recognise_drugs`; the flags say what an extract has.

    `results` are laboratory results of `list_findings`, `person` has what tells age.
    """

    recognised: pl.LazyFrame
    diagnosis: pl.LazyFrame
    observation: pl.LazyFrame
    anc: pl.LazyFrame
    results: pl.LazyFrame
    person: pl.LazyFrame
    has_drugs: bool = True
    has_diagnoses: bool = True

    def of(self, people: pl.Expr) -> "Evidence":
        """That of some people alone."""
        return replace(
            self,
            recognised=self.recognised.filter(people),
            diagnosis=self.diagnosis.filter(people),
            observation=self.observation.filter(people),
            anc=self.anc.filter(people),
            results=self.results.filter(people),
            person=self.person.filter(people),
        )


@dataclass(frozen=True)
class Judgement:
    """By what suspects are judged; `conditions` is what `read_conditions` gives."""

    causes: Sequence[Cause]
    conditions: pl.DataFrame
    naranjo: Naranjo


def attribute_causes(episodes: pl.LazyFrame, evidence: Evidence, judgement: Judgement) -> pl.LazyFrame:
    """One row per episode and candidate, sorted by episode and rank; columns: OUTPUT.

    Times are the extract's own, windows whole days.
    """
    found = []
    for some, known in _share(episodes, evidence, judgement.causes, judgement.conditions):
        keyed, weighed, left = _weigh(some, known, judgement.causes, tells_doubts=True)
        is_complete = evidence.has_drugs and evidence.has_diagnoses
        scored = score_naranjo(weighed, judgement.naranjo, is_complete=is_complete)
        every = pl.concat([scored, left], how="diagonal").with_columns(pl.col("n_competing").fill_null(0))
        found.append(rank_candidates(every, keyed.select("episode", *EPISODE)).collect(engine="in-memory"))
    return pl.concat(found).lazy()


def attribute_primary(episodes: pl.LazyFrame, evidence: Evidence, judgement: Judgement) -> pl.LazyFrame:
    """The primary suspect of each episode alone, as `attribute_causes` says it: EPISODE, cause_group, agent; sorted."""
    found = []
    for some, known in _share(episodes, evidence, judgement.causes, judgement.conditions):
        keyed, weighed, left = _weigh(some, known, judgement.causes, tells_doubts=False)
        every = pl.concat([weighed, left], how="diagonal")
        found.append(find_primary(every, keyed.select("episode", *EPISODE)).collect(engine="in-memory"))
    return pl.concat(found).lazy()


@dataclass(frozen=True)
class _Known:
    """Evidence of some people, and their codes and findings, for and against, as the causes ask for them."""

    evidence: Evidence
    codes: pl.LazyFrame
    contrary: pl.LazyFrame
    findings: pl.LazyFrame


def _share(
    episodes: pl.LazyFrame, evidence: Evidence, causes: Sequence[Cause], conditions: pl.DataFrame
) -> Iterator[tuple[pl.LazyFrame, _Known]]:
    """Episodes and evidence in lots of people."""
    own = evidence.diagnosis.join(episodes.select("person_index").unique(), on="person_index", how="semi")
    codes = read_codes(own.collect().lazy(), conditions, causes)
    signs = codes, read_contrary(evidence.results, codes, causes), read_findings(evidence.results, causes)
    for people in share_out(episodes, _AT_A_TIME):
        yield episodes.filter(people), _Known(evidence.of(people), *(each.filter(people) for each in signs))


def _weigh(
    episodes: pl.LazyFrame, known: _Known, causes: Sequence[Cause], *, tells_doubts: bool
) -> tuple[pl.LazyFrame, pl.LazyFrame, pl.LazyFrame]:
    """Episodes with their number, the candidates of each with category and precedence, the fallbacks of the others.

    Without `tells_doubts` the other end of the onset is not looked at, and is_window_certain means nothing.
    """
    evidence = known.evidence
    listed = _list_onsets(episodes, evidence.person).collect(engine="in-memory")
    onsets, both = listed.lazy(), (add_early(listed) if tells_doubts else listed).lazy()
    doses = _hold(list_doses(onsets, evidence.recognised))
    of_drugs = _hold(find_drug_candidates(both, doses, causes))
    codes = find_code_candidates(both, known.codes, Beside(doses, known.contrary), causes)
    of_signs = _hold(keep_best(pl.concat([codes, find_lab_candidates(both, known.findings, causes)])))
    (drugs, early_drugs), (signs, early_signs) = (split_early(each, listed.height) for each in (of_drugs, of_signs))
    early = pl.concat([early_drugs, early_signs])
    found = pl.concat([_challenge(drugs, onsets, doses, evidence.anc, causes), _support(signs)])
    kinds, risks = _kinds(causes), doses.select("agent", "risk").unique()
    told = tell_certain_windows(found, onsets, early).join(kinds, on=KIND)
    judged = _hold(told.join(risks, on="agent", how="left"))
    spans = episodes.select(*EPISODE, *SEEN)
    keyed = _hold(_number(spans.join(onsets, on=ONSET, nulls_equal=True)))
    own = keyed.select("episode", "series", "threshold_cells_per_ul", "nadir_cells_per_ul", "onset_id")
    patterns = find_patterns(keyed, causes).join(own, on="episode").with_columns(is_in_window=pl.lit(value=True))
    every = [own.join(judged, on="onset_id"), _support(patterns).join(kinds, on=KIND)]
    candidates = _hold(pl.concat(every, how="diagonal"))
    ranked = _hold(weigh(look_back(candidates)).join(_precedences(causes), on=(*KIND, "category")))
    decided = ranked.filter("decides", pl.col("category") != "unlikely").select("episode").unique()
    return keyed, ranked, _leave(keyed.join(decided, on="episode", how="anti"), early, evidence, causes)


def _leave(undecided: pl.LazyFrame, early: pl.LazyFrame, evidence: Evidence, causes: Sequence[Cause]) -> pl.LazyFrame:
    """The fallback of each episode without a deciding candidate, uncertain where there is one at the other end."""
    deciding = early.join(_kinds(causes).filter("decides"), on=KIND).select("onset_id").unique()
    fallbacks = _fall_back(undecided, evidence, causes).join(
        deciding.with_columns(is_found_early=pl.lit(value=True)), on="onset_id", how="left"
    )
    left = fallbacks.with_columns(
        is_window_certain=pl.when(pl.col("early_day").is_not_null()).then(pl.col("is_found_early").is_null())
    )
    return left.drop("onset_id", "early_day", "is_found_early")


def _hold(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Compute once what several branches read: a plan that repeats it doubles with each step.

    It is of one lot, so all of it fits in memory, and laying pipes for it would take longer than to compute it.
    """
    return frame.collect(engine="in-memory").lazy()


def _number(episodes: pl.LazyFrame) -> pl.LazyFrame:
    """Sorted, with `episode` for the key and `series` for person, rule and threshold: numbers are cheap to group by."""
    ordered = episodes.sort(EPISODE).with_row_index("episode")
    is_next = pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in EPISODE[:-1])
    return ordered.with_columns(series=is_next.fill_null(value=True).cum_sum())


def _list_onsets(episodes: pl.LazyFrame, person: pl.LazyFrame) -> pl.LazyFrame:
    """Distinct onsets: rules and thresholds share them, so each is judged once."""
    listed = episodes.select(ONSET).unique().sort(ONSET, nulls_last=True).with_row_index("onset_id")
    ages = read_ages(person).lazy()
    aged = listed.join(ages, on="person_index", how="left", maintain_order="left").select(
        *listed.collect_schema().names(), age_years=age_in(pl.col("first_low_at").dt.year())
    )
    return aged.with_columns(
        pl.col("first_low_at").dt.date().to_physical().alias("onset_day"),
        pl.col("recovery_by").dt.date().to_physical().alias("recovered_day"),
        pl.col("onset_after").dt.date().to_physical().alias("early_day"),
    )


def _challenge(
    drugs: pl.LazyFrame, onsets: pl.LazyFrame, doses: pl.LazyFrame, anc: pl.LazyFrame, causes: Sequence[Cause]
) -> pl.LazyFrame:
    """Judge each piece of drug evidence by its own rule; expected toxicity has no dechallenge."""
    by_rule: dict[Challenge | None, list[pl.Expr]] = {}
    for cause in causes:
        for number, item in enumerate(cause.drug_evidence):
            own = (pl.col("cause_group") == cause.id) & (pl.col("evidence_number") == number)
            by_rule.setdefault(item.challenge, []).append(own)
    judged = [_support(drugs.head(0))]
    for rule, items in by_rule.items():
        selected = drugs.filter(pl.any_horizontal(items))
        if rule is None:
            judged.append(_support(selected))
        else:
            counts = _hold(_counts_of(selected, onsets, anc))
            answered = _hold(judge_dechallenge(selected, onsets, doses, counts, rule))
            judged.append(tell_reverse(answered, onsets, doses, counts, rule))
    return pl.concat(judged)


def _counts_of(candidates: pl.LazyFrame, onsets: pl.LazyFrame, anc: pl.LazyFrame) -> pl.LazyFrame:
    """The counts of people with one of the candidates."""
    own = onsets.join(candidates, on="onset_id", how="semi").select("person_index").unique()
    columns = ("person_index", "collected_at", "lower_cells_per_ul", "upper_cells_per_ul")
    return anc.select(columns).join(own, on="person_index", how="semi")


def _support(candidates: pl.LazyFrame) -> pl.LazyFrame:
    return candidates.with_columns(
        pl.lit(None, pl.String).alias("dechallenge"),
        pl.lit(value=False).alias("is_recovered_on_drug"),
        pl.lit(value=False).alias("is_reexposed"),
        pl.lit(None, pl.Boolean).alias("began_while_falling"),
        pl.lit(None, pl.Int64).alias("count_at_start"),
        pl.lit(None, pl.Int64).alias("fall_to"),
    )


def _kinds(causes: Sequence[Cause]) -> pl.LazyFrame:
    """How each piece of evidence is judged, whether it competes and decides."""
    rows: list[tuple[str, int, str, bool, bool]] = []
    for cause in causes:
        rows += [(cause.id, n, item.judged, True, True) for n, item in enumerate(cause.drug_evidence)]
        first = len(cause.drug_evidence)
        signs = enumerate([*cause.signs, *cause.pattern_evidence], first)
        rows += [(cause.id, n, "code" if item.decides else "listed", item.competes, item.decides) for n, item in signs]
    schema = {**KIND_SCHEMA, "judged": pl.String(), "competes": pl.Boolean(), "decides": pl.Boolean()}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def _precedences(causes: Sequence[Cause]) -> pl.LazyFrame:
    rows: list[tuple[str, int, str, int]] = []
    for cause in causes:
        for number, drug in enumerate(cause.drug_evidence):
            rows += [(cause.id, number, category, place) for category, place in drug.precedence.items()]
        for number, sign in enumerate([*cause.signs, *cause.pattern_evidence], len(cause.drug_evidence)):
            rows.append((cause.id, number, "supported" if sign.decides else "none", sign.precedence))
    schema = {**KIND_SCHEMA, "category": pl.String(), "precedence": pl.Int32()}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def _fall_back(undecided: pl.LazyFrame, evidence: Evidence, causes: Sequence[Cause]) -> pl.LazyFrame:
    """The first fallback whose conditions hold, for episodes without a deciding candidate."""
    has = {"drugs": evidence.has_drugs, "diagnoses": evidence.has_diagnoses}
    chosen, place = pl.lit(None, pl.String), pl.lit(None, pl.Int32)
    for precedence, cause in _fallbacks_by_precedence(causes):
        days = cause.fallback.observed_days_before if cause.fallback else None
        holds = pl.lit(all(has[need] for need in (cause.fallback.needs if cause.fallback else ())))
        if days is not None:
            holds = holds & (pl.col("observed_days") >= days).fill_null(value=False)
        is_first = holds & chosen.is_null()
        place = pl.when(is_first).then(pl.lit(precedence, pl.Int32)).otherwise(place)
        chosen = pl.when(is_first).then(pl.lit(cause.id)).otherwise(chosen)
    observed = _add_observed_days(undecided, evidence.observation)
    return observed.select(
        "episode",
        "onset_id",
        "early_day",
        chosen.alias("cause_group"),
        pl.lit("").alias("agent"),
        place.alias("precedence"),
        pl.lit("none").alias("category"),
    )


def _fallbacks_by_precedence(causes: Sequence[Cause]) -> list[tuple[int, Cause]]:
    found = sorted(((c.fallback.precedence, c.id, c) for c in causes if c.fallback), key=lambda item: item[:2])
    if not any(c.fallback and c.fallback.observed_days_before is None and not c.fallback.needs for _, _, c in found):
        raise DefinitionError(
            "No cause is a fallback without conditions, so an episode could be left without a suspect.",
            repair="Keep definitions/causes/insufficient_data.yaml, or one like it.",
        )
    return [(precedence, cause) for precedence, _, cause in found]


def _add_observed_days(undecided: pl.LazyFrame, observation: pl.LazyFrame) -> pl.LazyFrame:
    """Add observed_days: from the start of the unbroken observation to the onset; null outside observation."""
    own = observation.join(undecided.select("person_index").unique(), on="person_index", how="semi")
    spans = to_spans(own).sort("start_day")
    last = undecided.sort("onset_day").join_asof(
        spans,
        left_on="onset_day",
        right_on="start_day",
        by="person_index",
        strategy="backward",
        coalesce=False,
        check_sortedness=False,
    )
    days = pl.when(pl.col("end_day") >= pl.col("onset_day")).then(pl.col("onset_day") - pl.col("start_day"))
    return last.with_columns(days.alias("observed_days"))
