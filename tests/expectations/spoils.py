"""Ways to spoil the good extract: what is changed, and which check or which rule of reading has to find it."""

from dataclasses import dataclass, replace

from polars import col, lit

from tests.expectations.good_extract import N_DRAWS, N_PEOPLE
from tests.expectations.spoiling import (
    Change,
    add,
    both,
    first,
    many_draws,
    moved,
    of,
    people,
    person,
    put,
    second_specimen,
    specimens,
    times,
    twin,
)

WBC, ANC, NEUT, LYMPH, MONO, EOS = "6690-2", "751-8", "770-8", "736-9", "5905-5", "713-8"
LYMPH_COUNT, MONO_COUNT, PLATELETS, HGB = "731-0", "742-7", "777-3", "718-7"
N_SPECIMENS = N_PEOPLE * N_DRAWS


@dataclass(frozen=True)
class Spoil:
    """`found`: the check that finds it, and how many; `beside`: other checks that rightly find it too."""

    name: str
    found: str
    n_failed: int
    change: Change
    beside: frozenset[str] = frozenset()
    form: str = "delimited"

    def sent_as(self, form: str) -> "Spoil":
        """The same in another form."""
        return replace(self, form=form)


DIFFERENTIAL = (ANC, NEUT, LYMPH, MONO, EOS, LYMPH_COUNT, MONO_COUNT)
SCALES = frozenset({"lab_scale_unusual", "lab_routes_disagree", "lab_factor_of_ten"})

SPOILS = (
    # beyond what blood can hold
    Spoil(
        *("neutrophils of 250,000", "lab_neutrophils_impossible", 2),
        put("labs", first(2, of(ANC)), value="250"),
        frozenset({"lab_anc_above_wbc"}),
    ),
    Spoil("white cells of 1.5 million", "lab_wbc_impossible", 1, put("labs", first(1, of(WBC)), value="1500")),
    Spoil("a share of 160 %", "lab_share_impossible", 1, put("labs", first(1, of(NEUT)), value="160")),
    Spoil("haemoglobin in g/L", "lab_hemoglobin_impossible", 9, put("labs", first(9, of(HGB)), value=times(10))),
    Spoil(
        *("counts in cells with the unit of thousands", "lab_mostly_impossible", 3 * N_SPECIMENS),
        put("labs", of(WBC, ANC, PLATELETS), value=times(1000)),
        frozenset({"lab_neutrophils_impossible", "lab_wbc_impossible", "lab_platelets_impossible"})
        | {"lab_neutrophils_extreme", "lab_wbc_extreme", "lab_scale_impossible", "lab_scale_unusual"},
    ),
    # many at once
    Spoil(
        *("neutrophils of 60,000 in 1 of 60", "lab_neutrophils_extreme", 4),
        put("labs", first(4, of(ANC)), value="60"),
        frozenset({"lab_anc_above_wbc"}),
    ),
    Spoil(
        *("white cells of 150,000 in 1 of 40", "lab_wbc_extreme", 6),
        put("labs", first(6, of(WBC)), value="150"),
        frozenset({"lab_routes_disagree"}),
    ),
    Spoil(
        *("bands of 70 %", "lab_bands_extreme", 9),
        add("labs", lambda labs: labs.filter(first(9, of(NEUT))).with_columns(test_code=lit("764-1"), value=lit("70"))),
    ),
    Spoil(
        *("limits of normal in cells", "lab_reference_implausible", N_SPECIMENS),
        put("labs", of(ANC), reference_low="1800"),
    ),
    # units and scales
    Spoil(
        *("white cells in thousands with the unit of cells", "lab_scale_impossible", N_SPECIMENS),
        put("labs", of(WBC), unit="/uL"),
        SCALES | {"lab_anc_above_wbc"},
    ),
    Spoil(
        *("fractions with the unit of %", "lab_scale_impossible", N_SPECIMENS),
        put("labs", of(NEUT), value=times(0.01)),
        SCALES | {"lab_differential_sum"},
    ),
    Spoil("platelets a tenth", "lab_scale_unusual", N_SPECIMENS, put("labs", of(PLATELETS), value=times(0.1))),
    Spoil(
        *("platelets of one unit a sixth of the others", "lab_scale_differs", 90),
        put("labs", first(90, of(PLATELETS)), value=times(1 / 6), unit="10*9/L"),
    ),
    Spoil("a value that never changes", "lab_constant", N_SPECIMENS, put("labs", of(HGB), value="12")),
    Spoil("zero for not done", "lab_many_zeros", N_SPECIMENS, put("labs", first(90, of(PLATELETS)), value="0")),
    # one specimen against itself
    Spoil(
        *("a differential of zeros", "lab_differential_blank", 14),
        put("labs", specimens(2) & of(*DIFFERENTIAL), value="0"),
    ),
    Spoil(
        *("neutrophils a thousandth in four specimens", "lab_factor_of_ten", 12),
        put("labs", first(4, of(ANC)), value=times(0.001)),
    ),
    Spoil(
        *("neutrophils tenfold in three specimens", "lab_factor_of_ten", 9),
        put("labs", first(3, of(ANC)), value=times(10)),
        frozenset({"lab_anc_above_wbc"}),
    ),
    Spoil(
        *("lymphocytes doubled", "lab_differential_sum", 12),
        put("labs", first(12, of(LYMPH)), value=times(2)),
    ),
    Spoil(
        "counts of lymphocytes tenfold", "lab_counts_sum", 30, put("labs", first(30, of(LYMPH_COUNT)), value=times(10))
    ),
    Spoil("fewer white cells than neutrophils", "lab_anc_above_wbc", 1, put("labs", first(1, of(WBC)), value="1")),
    Spoil(
        *("the share of another cell as that of neutrophils", "lab_routes_disagree", 10),
        both(
            put("labs", specimens(10) & of(NEUT), value="15"),
            put("labs", specimens(10) & of(EOS), value=lit("38")),
        ),
    ),
    # one draw against the next
    Spoil("forty draws a day", "lab_too_many_draws", 1, add("labs", many_draws)),
    Spoil(
        *("two people with one key, in the same minute", "lab_same_minute_differs", 6),
        add("labs", second_specimen(6, minutes=0, factor=3)),
    ),
    Spoil(
        *("two people with one key, minutes apart", "lab_hour_differs", 6),
        add("labs", second_specimen(6, minutes=20, factor=8)),
    ),
    # times
    Spoil(
        *("collection and result exchanged", "lab_resulted_before_collection", 200),
        put("labs", first(200), collected_at=col("resulted_at"), resulted_at=col("collected_at")),
    ),
    Spoil(
        "billing as result time",
        "lab_resulted_late",
        200,
        put("labs", first(200), resulted_at=moved("resulted_at", days=60)),
    ),
    Spoil(
        *("dates years ahead", "lab_date_implausible", 10),
        put(
            "labs",
            specimens(1),
            collected_at=moved("collected_at", weeks=520),
            resulted_at=moved("resulted_at", weeks=520),
        ),
        frozenset({"lab_in_future"}),
    ),
    Spoil(
        *("dates days ahead", "lab_in_future", 10),
        put("labs", specimens(1), collected_at="2024-07-20 08:00:00", resulted_at="2024-07-20 09:00:00"),
    ),
    Spoil(
        "dates without their time",
        "lab_at_midnight",
        10 * N_SPECIMENS,
        put("labs", lit(value=True), collected_at=col("collected_at").str.slice(0, 10) + " 00:00:00"),
    ),
    Spoil(
        *("the time of the export", "lab_same_first_time", N_PEOPLE),
        put("labs", col("specimen_id").str.ends_with("0"), collected_at="2024-01-07 06:00:00"),
    ),
    Spoil("preliminary results", "lab_preliminary", 600, put("labs", first(600), status="preliminary")),
    # people
    Spoil(
        *("results before birth", "lab_before_birth", 60),
        put("labs", person(20), collected_at=moved("collected_at", weeks=-52 * 70)),
    ),
    Spoil(
        *("results in the year before birth", "lab_year_before_birth", 60),
        put("labs", person(20), collected_at="1959" + col("collected_at").str.slice(4)),
    ),
    Spoil(
        *("results after death", "lab_after_death", 40),
        put("persons", person(1), died_on="2024-01-20"),
        frozenset({"observation_after_death"}),
    ),
    Spoil(
        *("one person with two keys", "lab_same_series", 2),
        both(add("labs", twin), add("persons", twin), add("observations", twin)),
    ),
    Spoil(
        "spans of another day", "lab_outside_observation", 10, put("observations", people(10), ended_on="2024-01-31")
    ),
    Spoil("a birth for all", "person_birth_same", 30, put("persons", people(30), birth_year="1950")),
    Spoil("a death for all", "person_all_died", N_PEOPLE, put("persons", lit(value=True), died_on="2024-06-25")),
    Spoil(
        *("a negative weight", "person_weight", 1),
        both(
            put("persons", lit(value=True), weight="1", stratum="1", psu="1"),
            put("persons", person(3), weight="-1"),
        ),
    ),
    Spoil("weights of some", "person_weight_missing", 20, put("persons", people(20), weight="1", stratum="1", psu="1")),
    # other tables
    Spoil(
        "spans without an end",
        "observation_ends_in_future",
        40,
        put("observations", lit(value=True), ended_on="2099-12-31"),
        frozenset({"observation_after_death"}),
    ),
    Spoil(
        "ICD-9 codes called ICD-10",
        "diagnosis_code_shape",
        5,
        put("diagnoses", first(5, col("code") == "E11.9"), code="288.0"),
    ),
    Spoil("temperatures in Fahrenheit", "vital_celsius", 4, put("vitals", first(4), celsius="98.6")),
    Spoil("one temperature for all", "vital_constant", 80, put("vitals", lit(value=True), celsius="37")),
    # what reading refuses in bulk
    Spoil(
        "units missing in every third row", "lab_refused_on_arrival", 720, put("labs", first(720, ~of("none")), unit="")
    ),
    Spoil(
        *("codes of another list", "lab_is_there", 0),
        put("labs", lit(value=True), test_code="99999-9"),
        frozenset({"lab_neutrophils_there"}),
    ),
    Spoil("no neutrophils", "lab_neutrophils_there", 0, put("labs", of(ANC, NEUT), test_code="99999-9")),
)

IN_OTHER_FORMS = {
    "parquet": ("haemoglobin in g/L", "a differential of zeros", "dates days ahead", "a negative weight"),
    "omop": (
        "neutrophils of 250,000",
        "neutrophils a thousandth in four specimens",
        "a differential of zeros",
        "white cells in thousands with the unit of cells",
        "results after death",
        "spans without an end",
    ),
}

# Each on rows of its own, in one extract: what reading refuses a few of, and how many.
REFUSED = (
    ("value_negative", 3, "labs", 0, {"value": "-1"}),
    ("value_not_a_number", 3, "labs", 1, {"value": "4.2 H"}),
    ("value_decimal_mark", 3, "labs", 2, {"value": "3,5"}),
    ("value_out_of_range", 3, "labs", 3, {"value": "1" * 30}),
    ("unit_missing", 3, "labs", 4, {"unit": ""}),
    ("unit_unknown", 3, "labs", 5, {"unit": "furlong"}),
    ("unit_of_other_kind", 3, "labs", 6, {"unit": "%", "test_code": WBC}),
    ("date_missing", 3, "labs", 7, {"collected_at": ""}),
    ("date_invalid", 3, "labs", 8, {"collected_at": "32.13.2024"}),
    ("person_missing", 3, "labs", 9, {"person_id": ""}),
    ("status_refused", 3, "labs", 10, {"status": "cancelled"}),
    ("status_unknown", 3, "labs", 11, {"status": "perhaps"}),
    ("specimen_unknown", 3, "labs", 12, {"specimen": "mud"}),
    ("agent_missing", 3, "exposures", 0, {"drug": ""}),
    ("evidence_unknown", 3, "exposures", 1, {"evidence": "rumour"}),
    ("code_missing", 3, "diagnoses", 0, {"code": ""}),
    ("code_system_unknown", 3, "diagnoses", 1, {"code_system": "home-made"}),
)
# A fifth of the rows of each table.
REFUSING = {
    "person_refused_on_arrival": put("persons", first(8), died_on="never"),
    "observation_refused_on_arrival": put("observations", first(8), ended_on=""),
    "encounter_refused_on_arrival": put("encounters", first(8), started_at=""),
    "exposure_refused_on_arrival": put("exposures", first(16), evidence=""),
    "diagnosis_refused_on_arrival": put("diagnoses", first(24), code=""),
    "vital_refused_on_arrival": put("vitals", first(16), celsius="warm"),
}
TOO_MANY = {
    "no unit": ("unit_missing", put("labs", of(WBC, ANC, NEUT, LYMPH, MONO, EOS), unit="")),
    "no collection time": ("date_missing", put("labs", first(2300), collected_at="")),
    "commas": (
        "value_decimal_mark",
        put("labs", of(*(HGB, WBC, ANC)), value=col("value").str.replace(".", ",", literal=True)),
    ),
    "times that are none": ("date_invalid", put("labs", first(900), collected_at="32.13.2024")),
    "drugs without evidence": ("evidence_unknown", put("exposures", lit(value=True), evidence="")),
}
