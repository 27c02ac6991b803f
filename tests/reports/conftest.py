"""Released nights that look like a hospital's, made of drawn counts: what a page is built from in these tests."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from reports.facts import (
    AnswerFact,
    Break,
    CheckFact,
    CheckMark,
    InputFact,
    LedgerFact,
    NightFacts,
    RefusedFact,
    RefusedKey,
    RefusedMark,
    Trend,
    TrendNight,
    WordsFact,
)
from tests.reports.browser import start_chromium
from transforms.cohort_order import order_cohorts
from transforms.load import Definitions, load_definitions
from transforms.release import Released, release
from transforms.schemas import schema_of
from transforms.severity_levels import named_levels

RUN = "20261101T020000-3f9a1c"
COHORTS = {
    "everyone": 5200,
    "adults": 4700,
    "children": 500,
    "chemotherapy": 900,
    "malignancy": 1100,
    "solid_tumour": 640,
    "clozapine": 130,
    "thionamides": 90,
    "co_trimoxazole": 210,
    "rituximab": 75,
    "dialysis": 160,
    "duffy_null": 22,
}
RISK = {"chemotherapy": 0.62, "malignancy": 0.44, "solid_tumour": 0.5, "rituximab": 0.25, "duffy_null": 0.3}
SEVERITIES = {"mild": 0.45, "moderate": 0.27, "severe": 0.2, "profound": 0.08}
THRESHOLDS = {1500: tuple(SEVERITIES), 1000: ("moderate", "severe", "profound"), 500: ("severe", "profound")}
DEPTHS = {1500: 1.0, 1000: 0.55, 500: 0.28}
CAUSES = ("chemotherapy", "medication", "infection", "nutritional", "malignancy_or_marrow", "unexplained", "congenital")
MONTHS = [date(2024 + month // 12, month % 12 + 1, 1) for month in range(10, 34)]
ENDINGS = {"recovered_unconfirmed": 0.12, "censored_end": 0.1, "censored_gap": 0.05, "died": 0.03}
BINS = [0, 100, 200, 500, 1000, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 8000, 10000, 15000]
TYPES = {"VARCHAR": pl.String, "BIGINT": pl.Int64, "INTEGER": pl.Int32, "DOUBLE": pl.Float64}
TYPES |= {"DATE": pl.Date, "BOOLEAN": pl.Boolean}
HOSTILE = "<script>alert('1')</script>\"\u202e=cmd()"


def released_of(drawn: Mapping[str, list[dict[str, Any]]]) -> Released:
    """Rows of estimates through the one door."""
    estimates = {}
    for name, rows in drawn.items():
        schema = {column.name: TYPES[column.type] for column in schema_of(name).columns}
        estimates[name] = pl.DataFrame([{"run_id": RUN, **row} for row in rows], schema=schema, orient="row")
    rule = next(rule for rule in load_definitions().disclosure if rule.channel == "internal")
    return release(
        estimates, rule, order_cohorts(load_definitions().cohorts), run_id=RUN, definitions_hash="0123456789abcdef"
    )


def draw_estimates(
    seed: int = 7, cohorts: Mapping[str, int] = COHORTS, *, has_dates: bool = True, has_anc: bool = True
) -> dict[str, list[dict[str, Any]]]:
    """Counts of a made-up hospital and what follows from them."""
    rng = np.random.default_rng(seed)
    out: dict[str, list[dict[str, Any]]] = {f"estimate.{name}": [] for name in TABLES}
    for cohort, size in cohorts.items():
        risk = RISK.get(cohort, 0.075)
        _draw_intervals(out, rng, cohort, size, risk, has_dates)
        _draw_populations(out, cohort, has_dates=has_dates)
        if has_dates:
            _draw_episodes(out, rng, cohort, round(size * risk * 1.3))
            _draw_days(out, cohort, size, risk)
            _draw_incidence(out, cohort, size, risk)
    if not has_anc:
        _take_counts_away(out)
    if has_dates:
        _draw_drugs(out, rng)
    people = [row for row in out["estimate.testing"] if row["interval_unit"] == "all"]
    tested = people[0]["n_tested"] if people else 0
    _draw_rules(out, int(tested))
    steps = {"known": ("In the extract", 5480), "observed": ("Observed", 5200), "tested": ("Tested", tested)}
    for order, (name, (step, n)) in enumerate(steps.items()):
        words = {"cohort": "everyone", "step_id": name, "step": step, "reason": "", "rule": "clinical"}
        out["estimate.attrition"].append(
            {**words, "step_order": order + 1, "threshold_cells_per_ul": 1500, "n_people": n}
        )
    return out


def _draw_rules(out: dict[str, list[dict[str, Any]]], tested: int) -> None:
    """What each rule makes of the same counts, and how certain they are; numbers follow from the tested alone."""
    limits = {"clinical": (1500, 1000, 500), "simple_run": (1500, 1000, 500), "allmt": (500,), "ohdsi_213": (1500,)}
    for place, (rule, own) in enumerate(limits.items(), start=10):
        for limit in own:
            n = tested * limit // (place * 1000)
            row = {
                "compared_rule": rule,
                "limit_cells_per_ul": limit,
                "is_anchored": False,
                "n_people": n,
                "n_episodes": n * 2,
            }
            out["estimate.rule"].append({**row, "mean_days": place + 0.25 if n else None})
    for rule in ("clinical", "simple_run") if tested else ():
        for threshold, depth in DEPTHS.items():
            n = round(tested * 0.2 * depth)
            key = {"rule": rule, "threshold_cells_per_ul": threshold}
            out["estimate.competition"] += [
                {**key, "several": several, "n_episodes": n // part, "n_people": n // part // 2, "n_suspected": n,
                 "n_confirmed": n * 2, "share": n // part / (n * 2) if n else None}
                for several, part in (("suspects", 2), ("causes", 4))
            ]  # fmt: skip
    for bounds, undecided in (("as_told", 0.01), ("left_open", 0.04)):
        for threshold, depth in DEPTHS.items():
            low, open_ = round(tested * 0.1 * depth), round(tested * undecided)
            parts = {"low": low, "undecided": open_, "not_low": tested - low - open_}
            key = {"bounds": bounds, "threshold_cells_per_ul": threshold}
            out["estimate.certainty"] += [
                {**key, "certainty": name, "n_people": n, "share": n / tested if tested else None}
                for name, n in parts.items()
            ]


def _take_counts_away(out: dict[str, list[dict[str, Any]]]) -> None:
    """People are observed, and nobody has a neutrophil count."""
    for name in [table for table in TABLES if table not in {"prevalence", "testing", "attrition"}]:
        out[f"estimate.{name}"].clear()
    for row in out["estimate.testing"]:
        row.update(
            n_tested=0, n_tests=0, n_gaps=0, tested_share=0.0, tests_per_tested_person=None, median_gap_days=None
        )
    for row in out["estimate.prevalence"]:
        size = 0 if row["denominator_name"] == "tested" else row["n_population"]
        row.update(
            n_low=0, n_low_possible=0, n_population=size, prevalence=None, prevalence_lo=None, prevalence_hi=None
        )


def _draw_shares(out: dict[str, list[dict[str, Any]]], key: dict[str, Any], size: int, risk: float) -> None:
    """Low tests of all tests, and people with a first episode by a day."""
    tests, low = size * 4, round(size * risk * 3)
    limits = {
        "low_test_share": low / tests,
        "low_test_share_lo": low / tests / 2,
        "low_test_share_hi": low / tests * 1.2,
    }
    counts = {"n_tests": tests, "n_tests_low": low, "n_people": round(size * 0.6), "method": "wilson"}
    out["estimate.test_share"].append({**key, **counts, **limits})
    start = round(size * 0.6)
    for day, part in {28: 0.2, 91: 0.5, 182: 0.8, 364: 1.0}.items():
        n = round(start * risk * part)
        ends = {"n_people": start, "n_episodes": n, "n_died": n // 4, "n_followed": (start - n - n // 4) // 2}
        shares = {"cumulative_share": n / start, "cumulative_lo": n / start / 2, "cumulative_hi": min(n / start * 2, 1)}
        out["estimate.cumulative_incidence"].append({**key, "rule": "clinical", "day": day, **ends, **shares})


def _draw_days(out: dict[str, list[dict[str, Any]]], cohort: str, size: int, risk: float) -> None:
    """Days, chronic tracks and cycles; numbers follow from the size of the cohort alone."""
    for threshold, depth in DEPTHS.items():
        key = {"cohort": cohort, "threshold_cells_per_ul": threshold}
        observed, low, high = size * 300, round(size * risk * 9 * depth), size * 40
        rates = {"low_days_a_year_least": low / observed * 365, "low_days_a_year_most": (1 - high / observed) * 365}
        days = {"n_days_observed": observed, "n_days_low": low, "n_days_not_low": high}
        row = {"n_people": size, **days, "n_days_unknown": observed - low - high, **rates}
        out["estimate.person_days"].append({**key, **row})
        n, assessable = round(size * risk * 0.1 * depth), round(size * 0.5)
        shares = {"chronic_share": n / assessable, "chronic_lo": n / assessable / 2, "chronic_hi": n / assessable * 2}
        people = {"n_people": n, "n_people_open": n // 3, "n_assessable": assessable, "chronic_method": "wilson"}
        out["estimate.chronic"].append({**key, "rule": "chronic", **people, **shares})
        _draw_shares(out, key, size, risk * depth)
        for regimen, part in (("all", 1.0), ("ac", 0.5), ("docetaxel", 0.5)):
            cycles = round(round(size * risk * part, -1) * 40)
            tested, affected = cycles // 2, cycles // 2 * round(10 * depth) // 20
            share = affected / max(tested, 1)
            counts = {"n_cycles": cycles, "n_people": cycles // 4, "n_tested": tested, "n_affected": affected}
            limits = {"affected_share": share, "affected_lo": share * 0.9, "affected_hi": min(share * 1.1, 1.0)}
            more = {"n_people_affected": affected // 2, "affected_method": "korn_graubard", "tests_per_cycle": 2.4}
            out["estimate.cycle"].append(
                {**key, "regimen": regimen, **counts, **limits, **more, "median_nadir_day": 10.5}
            )
    tested = round(size * risk) * 4 // 2
    for status, n in (("counted", tested // 10), ("not_near_daily", tested - tested // 10)):
        row = {"severe_status": status, "n_cycles": n, "n_people": n // 2, "cycle_share": n / max(tested, 1)}
        out["estimate.cycle_severe"].append(
            {"cohort": cohort, **row, "median_severe_days": 2.0 if n < tested / 2 else None}
        )


STANDARDS = ("esp_2013", "who_2000_2025")
FEW = 30  # people of a cohort that has no new episode


def _draw_incidence(out: dict[str, list[dict[str, Any]]], cohort: str, size: int, risk: float) -> None:
    """New episodes for time at risk, as counted and standardised; numbers follow from the size of the cohort alone."""
    interval = {"cohort": cohort, "interval_unit": "all", "interval_start": None, "is_complete": True}
    ways = [("every", "crude"), ("first", "crude"), *(("first", standard) for standard in STANDARDS)]
    for threshold, depth in DEPTHS.items():
        for place, (onset, standard) in enumerate(ways):
            n = round(size * risk * depth * (2 - (onset == "first"))) if size > FEW else 0
            rate = n / size * (800 - 50 * place)
            limits = {"rate_per_1000_py": rate, "rate_lo": rate * 0.8, "rate_hi": rate * 1.3 if n else 9.0}
            way = {"onset": onset, "standard": standard, "rule": "clinical", "threshold_cells_per_ul": threshold}
            method = "garwood" if standard == "crude" else "fay_feuer"
            row = {"n_episodes": n, "person_days": size * 400, "method": method, "status": "estimated"}
            out["estimate.incidence"].append({**interval, **way, **limits, **row})


TABLES = (
    "prevalence",
    "population",
    "incidence",
    "severity",
    "scale_change",
    "testing",
    "test_share",
    "cumulative_incidence",
    "episode",
    "duration",
    "duration_curve",
    "cause",
    "competition",
    "complication",
    "anc_distribution",
    "person_days",
    "chronic",
    "rule",
    "certainty",
    "cycle",
    "cycle_severe",
    "attrition",
    "drug",
    "drug_day",
    "drug_ratio",
)


def _draw_intervals(
    out: dict[str, list[dict[str, Any]]], rng: np.random.Generator, cohort: str, size: int, risk: float, has_dates: bool
) -> None:
    intervals: list[tuple[str, date | None, float]] = [("all", None, 1.0)]
    intervals += [("month", month, 0.3) for month in MONTHS] if has_dates else []
    for unit, start, part in intervals:
        n_observed = size if unit == "all" else round(size * rng.uniform(0.55, 0.65))
        n_tested = round(n_observed * (0.79 if unit == "all" else part * rng.uniform(0.9, 1.1)))
        interval = {"cohort": cohort, "interval_unit": unit, "interval_start": start}
        n_tests = round(n_tested * rng.uniform(1.5, 6))
        out["estimate.testing"].append(
            {
                **interval,
                "n_observed": n_observed,
                "n_tested": n_tested,
                "n_tests": n_tests,
                "n_gaps": max(n_tests - n_tested, 0),
                "tested_share": n_tested / n_observed,
                "tests_per_tested_person": n_tests / n_tested,
                "median_gap_days": float(rng.integers(3, 40)),
            }
        )
        chance = rng.uniform(0.85, 1.15) * risk
        counts = {name: round(n_tested * chance * part) for name, part in SEVERITIES.items()}
        counts = {"none": n_tested - sum(counts.values()), **counts}
        _draw_prevalence(out, interval, n_tested, n_observed, counts)
        _draw_severity(out, interval, counts)
        if unit == "all":
            _draw_distribution(out, cohort, counts)


POPULATIONS = {"observed": 1.0, "tested": 0.79, "day_one": 0.7, "sufficient_time": 0.6, "whole_period": 0.5}


def _draw_populations(out: dict[str, list[dict[str, Any]]], cohort: str, *, has_dates: bool) -> None:
    """The whole extract as it was drawn; of a year, a month, a quarter and a week the same people by part."""
    whole = [row for row in out["estimate.prevalence"] if row["cohort"] == cohort and row["interval_unit"] == "all"]
    parts = {"all": 1.0} | ({"year": 0.8, "quarter": 0.6, "month": 0.4, "week": 0.2} if has_dates else {})
    starts = {"year": date(2025, 1, 1), "quarter": date(2025, 10, 1), "month": date(2025, 12, 1)}
    for unit, part in parts.items():
        start = None if unit == "all" else starts.get(unit, date(2025, 12, 22))
        of = {"tested"} if unit == "week" else {"observed", "tested"} if unit == "all" else set(POPULATIONS)
        for row, name in ((row, name) for row in whole if row["denominator_name"] == "observed" for name in sorted(of)):
            n = round(row["n_population"] * part * POPULATIONS[name])
            n_low = min(n, round(row["n_low"] * part * (1.0 if name in {"observed", "tested"} else POPULATIONS[name])))
            tested = n if name == "tested" else round(n * POPULATIONS["tested"])
            counts = {"n_low": n_low, "n_population": n, "n_tested": tested, "prevalence": n_low / max(n, 1)}
            limits = {"prevalence_lo": n_low / max(n, 1) * 0.8, "prevalence_hi": n_low / max(n, 1) * 1.2}
            cut = {key: row[key] for key in ("cohort", "measure", "rule", "threshold_cells_per_ul")}
            more = {"method": "wilson", "tested_share": tested / max(n, 1), "tests_per_person": 3.0}
            place = {"interval_unit": unit, "interval_start": start, "denominator_name": name}
            flags = {"is_complete": True, "is_latest": True}
            out["estimate.population"].append({**cut, **place, **counts, **limits, **more, **flags})


def _draw_prevalence(
    out: dict[str, list[dict[str, Any]]],
    interval: dict[str, Any],
    n_tested: int,
    n_observed: int,
    counts: dict[str, int],
) -> None:
    cuts = [("any_low", "any_value", 1.0), ("confirmed", "clinical", 0.6), ("confirmed", "simple_run", 0.85)]
    for measure, rule, share in cuts:
        for threshold, names in THRESHOLDS.items():
            n_low = round(sum(counts[name] for name in names) * share)
            for name, n in (("tested", n_tested), ("observed", n_observed)):
                p = n_low / n
                wide = 1.96 * (p * (1 - p) / n) ** 0.5
                out["estimate.prevalence"].append(
                    {
                        **interval,
                        "measure": measure,
                        "rule": rule,
                        "threshold_cells_per_ul": threshold,
                        "stratum": "all",
                        "standard": "crude",
                        "denominator_name": name,
                        "n_low": n_low,
                        "n_low_possible": n_low,
                        "n_population": n,
                        "is_weighted": False,
                        "prevalence": p,
                        "prevalence_lo": max(p - wide, 0),
                        "prevalence_hi": p + wide,
                        "method": "wilson",
                        "is_complete": interval["interval_start"] not in {MONTHS[0], MONTHS[-1]},
                    }
                )


def _draw_severity(out: dict[str, list[dict[str, Any]]], interval: dict[str, Any], counts: dict[str, int]) -> None:
    _draw_scale(out, interval, "clinical", "age_from_1", {"not_applicable": 0, **counts})
    _draw_scale(out, interval, "clinical", "everybody", counts, is_intended=False)
    if interval["interval_unit"] == "all":
        merged = {**counts, "severe": counts["severe"] + counts["profound"]}
        ctcae_v5 = {grade: merged[severity] for severity, grade in CTCAE_V5.items() if severity != "profound"}
        _draw_scale(out, interval, "ctcae_v5", "everybody", ctcae_v5)
        for severity, n_people in counts.items():
            begun = _level("clinical", severity)
            row = {"from_scale": "clinical", **{f"from_{name}": value for name, value in begun.items()}}
            row |= {"scale": "ctcae_v5", **_level("ctcae_v5", CTCAE_V5[severity])}
            change = "worse" if severity in {"mild", "moderate", "severe"} else "same"
            shown = {"n_people": n_people, "share": n_people / sum(counts.values()), "change": change}
            out["estimate.scale_change"].append({**interval, **row, **shown})


CTCAE_V5 = {
    "none": "below_grade_2",
    "mild": "grade_2",
    "moderate": "grade_3",
    "severe": "grade_4",
    "profound": "grade_4",
}
LEVELS = {(row.pop("scale"), row["severity"]): row for row in named_levels(load_definitions().scales).to_dicts()}
NOBODY = {"severity": "not_applicable", "severity_order": -1, "grade": -1, "below_cells_per_ul": None}


def _level(scale: str, severity: str) -> dict[str, Any]:
    if severity == "not_applicable":
        return NOBODY
    return LEVELS[scale, severity]


def _draw_scale(
    out: dict[str, list[dict[str, Any]]],
    interval: dict[str, Any],
    scale: str,
    applied_to: str,
    counts: dict[str, int],
    *,
    is_intended: bool = True,
) -> None:
    everybody = sum(counts.values())
    for severity, n_people in counts.items():
        row = {"scale": scale, "applied_to": applied_to, "is_intended": is_intended, **_level(scale, severity)}
        share = None if severity == "not_applicable" else n_people / everybody
        out["estimate.severity"].append({**interval, **row, "n_people": n_people, "share": share})


def _draw_distribution(out: dict[str, list[dict[str, Any]]], cohort: str, counts: dict[str, int]) -> None:
    higher = [round(counts["none"] * part) for part in (0.07, 0.12, 0.14, 0.2, 0.16, 0.12, 0.1, 0.05, 0.02)]
    half = counts["severe"] // 2
    low = [counts["profound"], half, counts["severe"] - half, counts["moderate"], counts["mild"]]
    people = [*low, *higher, counts["none"] - sum(higher)]
    for lower, upper, n_people in zip(BINS, [*BINS[1:], None], people, strict=True):
        bounds = {"bin_lower_cells_per_ul": lower, "bin_upper_cells_per_ul": upper}
        out["estimate.anc_distribution"].append({"cohort": cohort, **bounds, "n_people": n_people})


def _draw_episodes(out: dict[str, list[dict[str, Any]]], rng: np.random.Generator, cohort: str, size: int) -> None:
    for rule in ("clinical", "simple_run"):
        for threshold, depth in DEPTHS.items():
            key = {"cohort": cohort, "rule": rule, "threshold_cells_per_ul": threshold}
            n = round(size * depth)
            ends = {ended_as: round(n * part) for ended_as, part in ENDINGS.items()}
            ends = {"all": n, "recovered": n - sum(ends.values()), **ends}
            for ended_as, n_episodes in ends.items():
                row = {"ended_as": ended_as, "n_episodes": n_episodes, "n_people": round(n_episodes * 0.8)}
                out["estimate.episode"].append({**key, "is_confirmed": True, **row})
            _draw_causes(out, rng, key, n)
            if rule == "clinical":
                _draw_complications(out, rng, key, n)
            for cause, part in (("all", 1.0), ("chemotherapy", 0.5), ("infection", 0.2), ("unexplained", 0.15)):
                _draw_duration(out, rng, {**key, "cause_group": cause}, round(n * part * 0.8))


def _draw_causes(out: dict[str, list[dict[str, Any]]], rng: np.random.Generator, key: dict[str, Any], n: int) -> None:
    weights = [rng.uniform(0.2, 1) for _ in CAUSES]
    parts = {cause: int(n * weight / sum(weights)) for cause, weight in zip(CAUSES, weights, strict=True)}
    parts["unexplained"] += n - sum(parts.values())
    for cause, n_cause in parts.items():
        agents = {"all": 1.0}
        if cause in {"chemotherapy", "medication"}:
            agents |= {f"{cause[:4]} drug {number}": 0.5**number for number in range(1, 6)}
        for agent, part in agents.items():
            row = {"cause_group": cause, "agent": agent, "window": "default"}
            counts = {"n_episodes": round(n_cause * part), "n_people": round(n_cause * part * 0.9)}
            out["estimate.cause"].append({**key, **row, **counts, "share": round(n_cause * part) / max(n, 1)})


COMPLICATIONS = {"fn_idsa_asco": "febrile_neutropenia", "pneumonia": "infection", "mouth_sores": "mouth"}
COMPLICATION_BANDS = {
    "all": {"all": 1.0},
    "severity": {"moderate": 0.5, "severe": 0.4, "profound": 0.1},
    "duration": {"up_to_7_days": 0.6, "over_30_days": 0.4},
}


def _draw_complications(
    out: dict[str, list[dict[str, Any]]], rng: np.random.Generator, key: dict[str, Any], n: int
) -> None:
    for complication, kind in COMPLICATIONS.items():
        share = float(rng.uniform(0.05, 0.4)) * (complication != "mouth_sores")  # which nobody has: no interval
        for band_kind, bands in COMPLICATION_BANDS.items():
            for order, (band, part) in enumerate(bands.items()):
                n_assessed = round(n * part)
                row = {"complication": complication, "kind": kind, "band_kind": band_kind, "band": band}
                counts = {"n_assessed": n_assessed, "n_episodes": round(n_assessed * share)}
                counts["n_people"] = round(counts["n_episodes"] * 0.9)
                shown = counts["n_episodes"] / n_assessed if n_assessed else None
                limits = {"share_lo": None, "share_hi": None, "method": "none"}
                if shown is not None and 0 < counts["n_episodes"] < n_assessed:
                    limits = {"share_lo": shown * 0.8, "share_hi": min(1.0, shown * 1.2), "method": "wilson"}
                whole = {**key, **row, **counts, **limits, "band_order": order, "share": shown}
                out["estimate.complication"].append(whole)


def _draw_duration(out: dict[str, list[dict[str, Any]]], rng: np.random.Generator, key: dict[str, Any], n: int) -> None:
    median = float(rng.uniform(5, 25))
    bounds = {"median_lower_days": median * 0.5, "median_upper_days": median * 1.6, "median_gap_days": median * 0.3}
    counts = {"n_episodes": n, "n_censored": n // 6, "n_died": n // 8}
    common = {**key, **counts, **bounds}
    is_sparse = key["cohort"] == "children"
    given = None if is_sparse else median * 0.9
    episode, patient = "typical incident episode", "typical patient with an incident episode"
    for estimator, estimand, days in (
        ("kaplan_meier_naive", episode, median),
        ("aalen_johansen_naive", episode, median * 1.1),
        ("turnbull_naive", episode, median * 1.2),
        ("interval_censored", episode, given),
        ("interval_censored", patient, given and given * 0.8),
    ):
        times = {"median_days": 1.0, "median_lo": 0.85, "median_hi": 1.2}
        for tau, part in ((30.0, 1.1), (90.0, 1.3)):
            is_fitted = estimator == "interval_censored"
            mean = None if days is None or estimator == "turnbull_naive" else min(days * part, tau)
            out["estimate.duration"].append(
                {
                    **common,
                    **{name: days and days * part for name, part in times.items()},
                    "tau_days": tau,
                    "rmst_days": mean,
                    "rmst_lo": mean * 0.9 if mean and is_fitted else None,
                    "rmst_hi": mean * 1.1 if mean and is_fitted else None,
                    "estimator": estimator,
                    "estimand": estimand,
                    "is_death_competing": estimator in {"aalen_johansen_naive", "interval_censored"},
                    "status": "not_estimable" if days is None else "estimated",
                }
            )
    for day in range(91) if given else ():
        share = 0.5 ** (day / given)
        limits = {"still_low": share, "still_low_lo": share * 0.9, "still_low_hi": min(share * 1.1, 1)}
        out["estimate.duration_curve"].append({**key, "estimator": "interval_censored", "day": day, **limits})
    _draw_naive_curve(out, key, n, median)


def _draw_naive_curve(out: dict[str, list[dict[str, Any]]], key: dict[str, Any], n: int, median: float) -> None:
    at_risk, still = n, 1.0
    for day in range(91):
        recovered = round(at_risk * 0.693 / median) if day else 0
        out["estimate.duration_curve"].append(
            {
                **key,
                "estimator": "kaplan_meier_naive",
                "day": day,
                "n_at_risk": at_risk,
                "n_recovered": recovered,
                "n_censored": 0,
                "still_low": still * (1 - recovered / at_risk) if at_risk else still,
                "still_low_lo": still * 0.9,
                "still_low_hi": min(still * 1.1, 1),
            }
        )
        still = still * (1 - recovered / at_risk) if at_risk else still
        at_risk -= recovered


DRUGS = {
    "docetaxel": ("cytotoxic", 420),
    "rituximab": ("other", 130),
    "clozapine": ("other", 95),
    "rare": ("other", 12),
}


def _draw_drugs(out: dict[str, list[dict[str, Any]]], rng: np.random.Generator) -> None:
    for drug, (drug_class, people) in DRUGS.items():
        key = {"drug": drug, "drug_class": drug_class}
        for threshold, depth in DEPTHS.items():
            n_affected, n_tested = round(people * depth * 0.5), people - 20 if people > 20 else people
            times = {"median_onset_days": 9.0, "median_recovery_days": 7.0}
            counts = {"n_people": people, "n_courses": people * 2, "n_tested": n_tested, "n_affected": n_affected}
            share = n_affected / n_tested
            limits = {"share": share, "share_lo": share * 0.8, "share_hi": min(share * 1.2, 1.0)}
            row = {"threshold_cells_per_ul": threshold, "method": "wilson", **counts, **limits, **times}
            out["estimate.drug"].append({**key, **row})
        for day in range(42):
            middle = 4500 - 3800 * np.exp(-(((day - 9) / 5) ** 2))
            quantiles = {f"p{q}_cells_per_ul": int(middle * (0.3 + q / 70)) for q in (10, 25, 50, 75, 90)}
            n_people = int(rng.integers(5, max(people // 2, 6)))
            step = {"anchor": "each_dose", "day": day, "day_until": day}
            out["estimate.drug_day"].append({**key, **step, "n_people": n_people, **quantiles})
        if drug_class == "other":
            counts = {"n_people": people, "n_risk": 24, "n_reference": 30, "n_pre_exposure": 12, "n_on_drug": 25}
            rates = {"ratio": 2.1, "ratio_lo": 1.2, "ratio_hi": 3.7, "pre_ratio": 0.9, "pre_ratio_lo": 0.5}
            rest = {"pre_ratio_hi": 1.6, "pre_check": "not_raised", "log2_disproportion": -0.4, "drugs_screened": 3}
            out["estimate.drug_ratio"].append({**key, **counts, **rates, **rest})


UNKNOWN_UNIT = RefusedFact(
    "unit_unknown",
    "The unit is not known.",
    "canonical.lab",
    880,
    "demo",
    "labs.csv.zst",
    1_204_331,
    "Translate the spelling.",
)
OUT_OF_RANGE = CheckFact(
    "lab_value_range",
    "A count lies in the plausible range.",
    "canonical.lab",
    "warn",
    "failed",
    1000,
    4,
    "Counts are plausible",
    repair="Correct the unit.",
)


def draw_facts(definitions: Definitions, **changes: Any) -> NightFacts:
    """Facts of a night with a warning and some refused rows."""
    known: dict[str, Any] = {
        "run_id": RUN,
        "result_id": "9c1f00d2ab34",
        "started_at": datetime(2026, 11, 1, 2, tzinfo=UTC),
        "verdict": "warn",
        "channel": "internal",
        "dates": "real",
        "definitions_hash": definitions.hash,
        "code_version": "0.1.0+7a591d1",
        "data_from": date(2024, 11, 4),
        "data_through": date(2026, 10, 14),
        "inputs": (
            InputFact("labs.csv.zst", 48_113_004, 1_204_331, "ab" * 32, "delimited", "demo"),
            InputFact("drugs.parquet", 1_204_100, 60_221, "cd" * 32, "parquet", "demo"),
        ),
        "ledger": (
            LedgerFact("labs.csv.zst", "canonical.lab", 1_204_331, 1_100_000, 4_331, 120, 880, 99_000),
            LedgerFact("drugs.parquet", "canonical.exposure", 60_221, 60_000, 21, 0, 0, 200),
        ),
        "refused": (UNKNOWN_UNIT,),
        "checks": (
            OUT_OF_RANGE,
            CheckFact("person_key", "Every person has a key.", "canonical.person", "stop", "passed", 5480, 0),
        ),
        "words": (WordsFact("drug", 635, 90, 1000, 3), WordsFact("diagnosis", 12, 12, 50, 50)),
        "verdict_why": "1 warning check failed (lab_value_range).",
        "trend": draw_trend(),
        "breaks": (
            Break(date(2025, 6, 1), "source_from", "second"),
            Break(date(2026, 3, 4), "definitions", "clinical 1 to 2"),
            Break(date(2026, 12, 6), "definitions", "clinical 2 to 3"),
        ),
        "answers": (
            AnswerFact("anc", "answerable", "Neutrophils are reported."),
            AnswerFact("cause_by_diagnosis", "partly", "Only billing diagnoses."),
        ),
    }
    return NightFacts(**{**known, **changes})


NIGHTS = 12


def draw_trend() -> Trend:
    """Twelve nights: a check that failed on two of them and was not made on one, a rule, and one stop."""
    last = datetime(2026, 11, 1, 2, tzinfo=UTC)
    days = [last - timedelta(days=NIGHTS - 1 - n) for n in range(NIGHTS)]
    marks = [CheckMark("passed", 1000, 0)] * NIGHTS
    ranges: list[CheckMark | None] = [*marks]
    ranges[3], ranges[5], ranges[11] = None, CheckMark("failed", 1000, 20), CheckMark("failed", 1000, 4)
    return Trend(
        tuple(TrendNight(f"run-{n}", day, "stop" if n == 5 else "warn") for n, day in enumerate(days)),
        {"lab_value_range": tuple(ranges), "person_key": tuple(marks)},
        {RefusedKey("demo", "canonical.lab", "unit_unknown"): (RefusedMark(0, 100),) * 11 + (RefusedMark(880, 1000),)},
    )


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    with start_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    """The shipped definitions."""
    return load_definitions()


@pytest.fixture(scope="session")
def released() -> Released:
    """A whole night."""
    return released_of(draw_estimates())


@pytest.fixture(scope="session")
def facts(definitions: Definitions) -> NightFacts:
    """Its facts."""
    return draw_facts(definitions)


@pytest.fixture(scope="session")
def night() -> Callable[..., Released]:
    """Other nights: the arguments of `draw_estimates`."""
    return lambda **wanted: released_of(draw_estimates(**wanted))
