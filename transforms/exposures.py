"""Which listed drug each exposure is, whether it counts, and in which course: one row per dose or order.

Code before name (ATC with its earlier codes, then RxNorm ingredient, then name). Doses not given and drugs that do not
reach the marrow are left out. An end before its start, or no end, is a single moment at the start (the former flagged).
Within a course the best evidence alone is kept. Obeys `definitions/exposures` and `definitions/codelists/drugs.csv`.
"""

from collections.abc import Sequence

import polars as pl

from transforms.diagnoses import recognise_conditions
from transforms.drug_names import match_names, normalise_name
from transforms.lots import share_out
from transforms.model.exposures import ExposureRules

KEY = ("agent", "atc", "rxnorm", "route", "status")
DRUG_COLUMNS = (
    "drug",
    "cause_group",
    "subgroup",
    "is_cytotoxic",
    "is_dual_use",
    "onset_anchor",
    "onset_min_days",
    "onset_max_days",
    "tail_days",
    "risk",
)
TIMES = ("person_index", "drug", "started_at", "ended_at", "evidence")
DOSE = (*TIMES, "is_end_repaired")
COURSE = ("person_index", "drug", "course_number")
_DAYS = 2**23  # more than there are since 1970, with their sign
_AT_A_TIME = 200_000  # exposures that are put in order; what stays of one is a tenth of what that takes


def recognise_drugs(
    exposure: pl.LazyFrame,
    diagnosis: pl.LazyFrame,
    drugs: pl.DataFrame,
    conditions: pl.DataFrame,
    rules: ExposureRules,
) -> pl.LazyFrame:
    """Exposures to listed drugs, sorted; times in the extract's own clock, windows in days.

    Columns: person_index, the drug's own (drug, cause_group, subgroup, is_cytotoxic, is_dual_use, onset_anchor,
    onset_min_days, onset_max_days, tail_days, risk, may_cause, is_growth_factor), started_at, ended_at (never null),
    evidence, is_end_repaired, course_number, has_malignancy (a malignancy code near the start; decides dual use).
    """
    names = pl.Enum(drugs["drug"].sort())  # sorts as text does, and costs as much as a number
    listed = drugs.lazy().select(
        *DRUG_COLUMNS,
        (~pl.col("cause_group").is_in(rules.never_causes)).alias("may_cause"),
        pl.col("subgroup").is_in(rules.growth_factor_subgroups).alias("is_growth_factor"),
    )
    keyed = exposure.with_columns(pl.col(*KEY).fill_null(""))
    keys = keyed.select(KEY).unique().collect().lazy()  # few, and many branches of the plan begin with them
    recognised = match_exposures(keys, drugs, rules).with_columns(pl.col("drug").cast(names))
    doses = keyed.join(recognised, on=KEY).select(
        "person_index",
        "drug",
        "started_at",
        pl.max_horizontal("started_at", pl.col("ended_at")).alias("ended_at"),
        "evidence",
        (pl.col("ended_at") < pl.col("started_at")).fill_null(value=False).alias("is_end_repaired"),
    )
    coded = _malignancy_days(diagnosis, conditions, rules)
    told = [
        _tell_malignancy(_keep_best_evidence(doses.filter(people).collect(), rules), coded, rules)
        for people in share_out(exposure, _AT_A_TIME)
    ]
    own = listed.with_columns(pl.col("drug").cast(names))
    named = pl.concat(told).lazy().join(own, on="drug", maintain_order="left")
    return named.with_columns(pl.col("drug").cast(pl.String))


def chemotherapy_doses(recognised: pl.LazyFrame) -> pl.LazyFrame:
    """Starts of cytotoxic doses (person_index, given_at); dual-use drugs only with a malignancy code near the dose."""
    return _given(recognised.filter(_is_chemotherapy()))


def antineoplastic_days(recognised: pl.LazyFrame, drugs: Sequence[str]) -> pl.LazyFrame:
    """Days on which cytotoxics, and the other `drugs`, were given: person_index, drug, is_cytotoxic, given_on.

    is_cytotoxic holds for the doses of `chemotherapy_doses`.
    """
    is_dose = _is_chemotherapy()
    given = recognised.filter(is_dose | pl.col("drug").is_in(list(drugs))).select(
        "person_index", "drug", given_on=pl.col("started_at").dt.date(), is_cytotoxic=is_dose
    )
    return given.unique().sort("person_index", "given_on", "drug", "is_cytotoxic")


def gcsf_doses(recognised: pl.LazyFrame) -> pl.LazyFrame:
    """Starts of growth-factor doses (person_index, given_at): treatment, never a cause."""
    return _given(recognised.filter("is_growth_factor"))


def courses(recognised: pl.LazyFrame) -> pl.LazyFrame:
    """One row per person, drug and course: first_dose_at, last_dose_at, n_doses and the drug's own columns."""
    own = [column for column in (*DRUG_COLUMNS, "may_cause", "has_malignancy") if column != "drug"]
    return (
        recognised.group_by(COURSE)
        .agg(
            pl.col("started_at").min().alias("first_dose_at"),
            pl.col("ended_at").max().alias("last_dose_at"),
            pl.len().alias("n_doses"),
            pl.col(own).sort_by("started_at").first(),
        )
        .sort(COURSE)
    )


def match_exposures(keys: pl.LazyFrame, drugs: pl.DataFrame, rules: ExposureRules) -> pl.LazyFrame:
    """For distinct (agent, atc, rxnorm, route, status), nulls as empty text: the drugs each one counts as."""
    by_name = match_names(keys.select("agent").unique(), drugs, rules)
    by_atc = _match_atc(keys.select("atc").unique(), drugs)
    by_rxnorm = drugs.lazy().select("drug", pl.col("rxnorm").alias("ingredient")).explode("ingredient")
    ingredient = pl.col("rxnorm").str.replace(r"\.0+$", "").alias("ingredient")
    matches = [
        keys.join(by_atc, on="atc").with_columns(trust=pl.lit(0)),
        keys.with_columns(ingredient).filter(pl.col("ingredient") != "").join(by_rxnorm, on="ingredient"),
        keys.join(by_name, on="agent").filter(~_is_other_atc(rules)).with_columns(trust=pl.lit(2)),
    ]
    matches[1] = matches[1].select(*KEY, "drug", trust=pl.lit(1))
    found = pl.concat([match.select(*KEY, "drug", "trust") for match in matches])
    best = found.filter(pl.col("trust") == pl.col("trust").min().over(KEY))
    return best.filter(_is_given(rules) & _is_systemic(rules)).select(*KEY, "drug").unique()


def number_courses(doses: pl.LazyFrame, gap_days: int) -> pl.LazyFrame:
    """Each dose once, sorted, with course_number (from 1) per person and drug, and `series`, the number of that pair.

    A gap of more than `gap_days` days after the latest end so far starts a new course.
    """
    ordered = doses.sort(*DOSE)
    is_other = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in DOSE)
    is_first = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in DOSE[:2])
    single = ordered.filter(is_other | (pl.int_range(pl.len()) == 0))
    told = single.with_columns(is_first=is_first | (pl.int_range(pl.len()) == 0))
    numbered = told.with_columns(series=pl.col("is_first").cum_sum())
    # One number for series and day, so that one running maximum over all rows does for that of each series.
    latest_end = place("series", _day("ended_at")).cum_max().shift(1) - place("series", pl.lit(0))
    is_new = pl.col("is_first") | (_day("started_at") - latest_end > gap_days).fill_null(value=True)
    running = is_new.cast(pl.Int32).cum_sum()
    before = pl.when("is_first").then(running - 1).forward_fill()
    return numbered.with_columns(course_number=running - before).drop("is_first")


def place(series: str, day: pl.Expr) -> pl.Expr:
    """One number for `series`, a whole number itself, and day since 1970, which orders as the two do."""
    return pl.col(series).cast(pl.Int64) * _DAYS + _DAYS // 2 + day


def _day(column: str) -> pl.Expr:
    return pl.col(column).dt.date().to_physical()


def _is_chemotherapy() -> pl.Expr:
    return pl.col("is_cytotoxic") & (~pl.col("is_dual_use") | pl.col("has_malignancy"))


def _given(recognised: pl.LazyFrame) -> pl.LazyFrame:
    given = recognised.select("person_index", pl.col("started_at").alias("given_at"))
    return given.unique().sort("person_index", "given_at")


def _keep_best_evidence(doses: pl.DataFrame, rules: ExposureRules) -> pl.DataFrame:
    """The best of each course, numbered and sorted; what is left out of one may leave a gap that makes it two."""
    kept = (*DOSE, "course_number")
    is_same_series = pl.col("series") == pl.col("series").shift(1)
    differs = (is_same_series & (pl.col("evidence") != pl.col("evidence").shift(1))).fill_null(value=False)
    numbered = number_courses(doses.lazy(), rules.course_gap_days).with_columns(differs=differs)
    told = numbered.collect(engine="in-memory")  # less time for what follows from row to row
    if not told["differs"].any():
        return told.select(kept)
    order = {evidence: place for place, evidence in enumerate(rules.evidence_order)}
    place = pl.col("evidence").replace_strict(order, default=len(order), return_dtype=pl.Int8)
    marked = told.with_columns(is_mixed=pl.col("differs").any().over("series"))
    plain, mixed = marked.filter(~pl.col("is_mixed")), marked.filter("is_mixed").with_columns(place=place)
    best = mixed.filter(pl.col("place") == pl.col("place").min().over("series", "course_number")).select(DOSE)
    again = number_courses(best.lazy(), rules.course_gap_days).collect(engine="in-memory")
    return pl.concat([plain.select(kept), again.select(kept)]).sort(DOSE)


def _match_atc(codes: pl.LazyFrame, drugs: pl.DataFrame) -> pl.LazyFrame:
    listed = drugs.select("drug", pl.col("atc").alias("code")).explode("code").filter(pl.col("code") != "").unique()
    lengths = sorted(listed["code"].str.len_chars().unique())
    sent = pl.col("atc").str.to_uppercase().str.strip_chars()
    found = [codes.with_columns(sent.str.head(length).alias("code"), length=pl.lit(length)) for length in lengths]
    matched = pl.concat(found).filter(pl.col("code").str.len_chars() == pl.col("length"))
    matched = matched.join(listed.lazy(), on="code")
    return matched.filter(pl.col("length") == pl.col("length").max().over("atc")).select("atc", "drug").unique()


def _is_other_atc(rules: ExposureRules) -> pl.Expr:
    sent = pl.col("atc").str.to_uppercase().str.strip_chars()
    return pl.any_horizontal([sent.str.starts_with(prefix) for prefix in rules.not_systemic.atc_prefixes])


def _is_given(rules: ExposureRules) -> pl.Expr:
    return ~_says("status", rules.not_given.exact, rules.not_given.words, rules)


def _is_systemic(rules: ExposureRules) -> pl.Expr:
    where = rules.not_systemic
    stays = _says("route", where.routes, where.route_words, rules) | _says("agent", (), where.forms, rules)
    for rule in rules.not_absorbed:
        stays_put = _says("route", rule.routes, (), rules) | _says("agent", (), rule.forms, rules)
        stays = stays | (pl.col("drug").is_in(rule.drugs) & stays_put)
    return ~stays


def _says(column: str, whole: tuple[str, ...], words: tuple[str, ...], rules: ExposureRules) -> pl.Expr:
    text = normalise_name(pl.col(column), rules.strength_units)
    is_whole = text.is_in(list(whole))
    if not words:
        return is_whole
    return is_whole | pl.concat_str(pl.lit(" "), text, pl.lit(" ")).str.contains_any([f" {word} " for word in words])


def _malignancy_days(diagnosis: pl.LazyFrame, conditions: pl.DataFrame, rules: ExposureRules) -> pl.Series:
    """People and days with a malignancy code, as `place` numbers them, in order."""
    rule = rules.malignancy
    is_malignancy = pl.col("cause_group").is_in(rule.cause_groups) | pl.col("subgroup").is_in(rule.subgroups)
    coded = recognise_conditions(diagnosis, conditions.filter(is_malignancy)).filter(
        pl.col("recorded_at").is_not_null()
    )
    return coded.select(place("person_index", _day("recorded_at"))).unique().collect().to_series().sort()


def _tell_malignancy(doses: pl.DataFrame, coded: pl.Series, rules: ExposureRules) -> pl.DataFrame:
    """Add has_malignancy: the latest malignancy code up to the allowed time after the dose is not too old."""
    rule = rules.malignancy
    if coded.is_empty():
        return doses.with_columns(has_malignancy=pl.lit(value=False))
    given = doses.select(until=place("person_index", _day("started_at") + rule.lookahead_days)).to_series()
    n_until = coded.search_sorted(given, side="right")
    age_days = given - coded.gather((n_until.cast(pl.Int64) - 1).clip(0))
    is_near = age_days.is_between(0, rule.lookahead_days + rule.lookback_days)
    return doses.with_columns(has_malignancy=is_near)
