"""The same hospital in the column layout of MIMIC-IV's hospital tables, with real dates.

Counts are in K/uL wherever they were measured. The layout has no result status, so only the result that stands is
written, once. Diagnoses carry no date there: each belongs to a stay, or to an ambulatory admission of its day.
"""

from collections.abc import Mapping

import polars as pl

from flows.simulation.measurement import CELLS_PER_UNIT
from flows.simulation.mimic_columns import (
    ADMISSION_COLUMNS,
    EMPTY_ADMISSION_COLUMNS,
    EMPTY_PRESCRIPTION_COLUMNS,
    LABEVENT_COLUMNS,
    PRESCRIPTION_COLUMNS,
)
from flows.simulation.parameters import Parameters
from flows.simulation.reporting import MimicItem

BLANK = pl.lit(None, dtype=pl.String)


class MimicLayout:
    """Rewrites canonical chunks, counting row numbers on from chunk to chunk."""

    def __init__(self, parameters: Parameters, start_year: int) -> None:
        self._year = start_year
        self._layout = parameters.mimic_iv
        self._items = _lab_items(parameters)
        self._counters = {"labevent_id": 0, "hadm_id": self._layout.first_hadm_id, "pharmacy_id": 0}
        self._has_dictionaries = False

    def rewrite(self, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """The tables of one chunk; the dictionaries come with the first."""
        admissions = self._admissions(tables)
        prescriptions = self._prescriptions(tables, admissions)
        written = {
            "labevents": self._labevents(tables["labs"], admissions),
            "patients": self._patients(tables["persons"]),
            "admissions": admissions.select(ADMISSION_COLUMNS),
            "diagnoses_icd": self._diagnoses(tables["diagnoses"], admissions),
            "prescriptions": prescriptions.select(PRESCRIPTION_COLUMNS),
            "emar": self._emar(prescriptions),
        }
        if "truth" in tables:
            written["truth"] = tables["truth"].with_columns(person_id=self._subject().cast(pl.String))
        if not self._has_dictionaries:
            written |= {"d_labitems": self._labitems(), "d_icd_diagnoses": self._titles()}
            self._has_dictionaries = True
        return written

    def _numbered(self, frame: pl.DataFrame, column: str) -> pl.DataFrame:
        first = self._counters[column]
        self._counters[column] += frame.height
        return frame.with_columns(pl.int_range(first + 1, first + frame.height + 1, eager=True).alias(column))

    def _subject(self) -> pl.Expr:
        return pl.col("person_id").str.strip_prefix("P").cast(pl.Int64) + self._layout.first_subject_id

    def _admissions(self, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """Stays, and an ambulatory admission for each day with a diagnosis outside of them."""
        stays = (
            tables["encounters"].filter(pl.col("setting") == "inpatient").select("person_id", "started_at", "ended_at")
        )
        coded = tables["diagnoses"].select("person_id", at=pl.col("recorded_at")).unique()
        inside = coded.join(stays, on="person_id").filter(pl.col("at").is_between("started_at", "ended_at"))
        outside = coded.join(inside, on=["person_id", "at"], how="anti")
        days = outside.select("person_id", started_at=pl.col("at").dt.truncate("1d")).unique()
        days = days.with_columns(ended_at=pl.col("started_at") + pl.duration(hours=23, minutes=59))
        kinds = self._layout.admission_types
        rows = pl.concat(
            [
                stays.with_columns(admission_type=pl.lit(kinds["inpatient"])),
                days.with_columns(admission_type=pl.lit(kinds["outpatient"])),
            ]
        ).sort("person_id", "started_at", "ended_at", "admission_type")
        died = tables["persons"].select("person_id", "died_on")
        rows = self._numbered(rows.join(died, on="person_id", how="left", maintain_order="left"), "hadm_id")
        is_last = (pl.col("ended_at").dt.date() == pl.col("died_on")) & (pl.col("admission_type") == kinds["inpatient"])
        return rows.with_columns(
            subject_id=self._subject(),
            admittime="started_at",
            dischtime="ended_at",
            deathtime=pl.when(is_last).then("ended_at"),
            **dict.fromkeys(EMPTY_ADMISSION_COLUMNS, BLANK),
            hospital_expire_flag=is_last.fill_null(value=False).cast(pl.Int8),
        )

    def _labevents(self, labs: pl.DataFrame, admissions: pl.DataFrame) -> pl.DataFrame:
        standing = labs.filter(pl.col("status") != "preliminary").with_row_index("row")
        keys = ["specimen_id", "test_code"]
        standing = standing.sort("row").unique(keys, keep="last", maintain_order=True)
        rows = standing.join(self._items, on=["site", "test_code"], how="left", maintain_order="left")
        rows = _within(rows, admissions, "collected_at")
        text = pl.col("value").str.strip_prefix("<").cast(pl.Float64, strict=False) * pl.col("factor")
        is_count, is_bound = pl.col("factor") != 1.0, pl.col("value").str.starts_with("<")
        number = pl.when(is_count | is_bound).then(text.round(3)).otherwise(text)
        value = (
            pl.when(is_bound)
            .then(pl.format("<{}", number.cast(pl.String)))
            .when(number.is_null())
            .then(BLANK)
            .otherwise(number.cast(pl.String))
        )
        low = (pl.col("reference_low") * pl.col("factor")).round(3)
        rows = rows.with_columns(
            subject_id=self._subject(),
            specimen_id=pl.col("specimen_id").str.strip_prefix("S").cast(pl.Int64),
            order_provider_id=BLANK,
            charttime="collected_at",
            storetime="resulted_at",
            value=value,
            valuenum=number,
            ref_range_lower=low,
            ref_range_upper=pl.lit(None, dtype=pl.Float64),
            flag=pl.when(number < low).then(pl.lit("abnormal")),
            priority=pl.lit("ROUTINE"),
            comments=pl.when(number.is_null()).then(pl.lit(self._layout.not_done_comment)),
        )
        return self._numbered(rows, "labevent_id").select(LABEVENT_COLUMNS)

    def _patients(self, persons: pl.DataFrame) -> pl.DataFrame:
        year, age = self._year, self._year - pl.col("birth_year")
        return persons.select(
            subject_id=self._subject(),
            gender=pl.when(pl.col("sex") == "female").then(pl.lit("F")).otherwise(pl.lit("M")),
            anchor_age=pl.when(age > self._layout.greatest_age).then(self._layout.age_of_older).otherwise(age),
            anchor_year=pl.lit(year),
            anchor_year_group=pl.lit(f"{year} - {year + 2}"),
            dod="died_on",
        )

    def _diagnoses(self, diagnoses: pl.DataFrame, admissions: pl.DataFrame) -> pl.DataFrame:
        rows = _within(diagnoses.with_row_index("row"), admissions, "recorded_at").sort("hadm_id", "row")
        return rows.select(
            subject_id=self._subject(),
            hadm_id="hadm_id",
            seq_num=pl.int_range(pl.len()).over("hadm_id") + 1,
            icd_code=pl.col("code").str.replace_all(".", "", literal=True),
            icd_version=pl.lit(10),
        )

    def _prescriptions(self, tables: Mapping[str, pl.DataFrame], admissions: pl.DataFrame) -> pl.DataFrame:
        rows = _within(tables["exposures"].with_row_index("row"), admissions, "started_at").sort("row")
        amount = pl.col("dose").cast(pl.String).str.strip_suffix(".0")
        return self._numbered(rows, "pharmacy_id").with_columns(
            subject_id=self._subject(),
            starttime="started_at",
            stoptime="ended_at",
            drug_type=pl.lit("MAIN"),
            dose_val_rx=amount,
            dose_unit_rx="dose_unit",
            **dict.fromkeys(EMPTY_PRESCRIPTION_COLUMNS, BLANK),
        )

    def _emar(self, prescriptions: pl.DataFrame) -> pl.DataFrame:
        given = prescriptions.filter(pl.col("evidence") == "administered")
        sequence = pl.int_range(pl.len()).over("subject_id") + 1
        return given.with_columns(emar_seq=sequence).select(
            "subject_id",
            "hadm_id",
            pl.format("{}-{}", "subject_id", "emar_seq").alias("emar_id"),
            "emar_seq",
            BLANK.alias("poe_id"),
            "pharmacy_id",
            BLANK.alias("enter_provider_id"),
            pl.col("starttime").alias("charttime"),
            pl.col("drug").alias("medication"),
            pl.lit(self._layout.administered).alias("event_txt"),
            pl.col("starttime").alias("scheduletime"),
            pl.col("starttime").alias("storetime"),
        )

    def _labitems(self) -> pl.DataFrame:
        items = {item.itemid: item for item in self._layout.items.values()}
        fields = ("itemid", "label", "fluid", "category")
        return pl.DataFrame([{name: getattr(items[key], name) for name in fields} for key in sorted(items)])

    def _titles(self) -> pl.DataFrame:
        titles = sorted(self._layout.icd_titles.items())
        return pl.DataFrame(
            {
                "icd_code": [code.replace(".", "") for code, _ in titles],
                "icd_version": [10] * len(titles),
                "long_title": [title for _, title in titles],
            }
        )


def _within(rows: pl.DataFrame, admissions: pl.DataFrame, at: str) -> pl.DataFrame:
    """The rows with the admission that was open at their time, if any."""
    opened = admissions.select("person_id", "hadm_id", "admittime", "dischtime").sort("admittime", "hadm_id")
    found = rows.sort(at, maintain_order=True).join_asof(
        opened, left_on=at, right_on="admittime", by="person_id", check_sortedness=False
    )
    is_open = pl.col(at) <= pl.col("dischtime")
    return found.with_columns(hadm_id=pl.when(is_open).then("hadm_id")).drop("admittime", "dischtime").sort("row")


def _lab_items(parameters: Parameters) -> pl.DataFrame:
    """Item, unit and the factor to MIMIC's unit, by laboratory and code."""
    laboratories, items = parameters.laboratories, parameters.mimic_iv.items
    rows: list[dict[str, object]] = []

    def add(site: str, code: str, item: MimicItem, factor: float) -> None:
        rows.append({"site": site, "test_code": code, "itemid": item.itemid, "valueuom": item.unit, "factor": factor})

    for site in laboratories.laboratories:
        factor = site.cells_per_unit / CELLS_PER_UNIT
        add(site.id, site.wbc.code, items["wbc"], factor)
        add(site.id, site.anc.code, items["anc"], factor)
        add(site.id, laboratories.platelets.code, items["platelets"], factor)
        add(site.id, site.neutrophils.code, items["neutrophils"], 1.0)
        if site.segs is not None and site.bands is not None:
            add(site.id, site.segs.code, items["segs"], 1.0)
            add(site.id, site.bands.code, items["bands"], 1.0)
        add(site.id, laboratories.lymphocytes.code, items["lymphocytes"], 1.0)
        add(site.id, laboratories.haemoglobin.code, items["haemoglobin"], 1.0)
        add(site.id, laboratories.urine.code, items["urine"], 1.0)
        add(site.id, parameters.causes.vitamin_b12.code, items["vitamin_b12"], 1.0)
    return pl.DataFrame(rows)
