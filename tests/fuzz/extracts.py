"""The extracts that are damaged: every layout and every packing, a few rows each."""

import gzip
from functools import cache

from tests.fuzz import seeds
from tests.fuzz.seeds import DRUG, PERSON, SPECIMEN, Seed

MAP = {
    "id": "clinic",
    "source_id": "clinic",
    "codes": {"NEUT": "751-8", "LEUK": "6690-2"},
    "units": {"NEUT": "10*9/L"},
    "tables": [
        {
            "table": "lab",
            "columns": {
                "person_id": ["pid", "patient"],
                "specimen_id": "sample",
                "collected_at": "taken",
                "code": "test",
                "value": "result",
                "unit": "unit",
                "status": "state",
            },
            "needs": ["person_id", "code", "value"],
            "filters": {"state": ["final", "corrected"]},
            "unit_rules": [{"code": "LEUK", "where": {"state": "final"}, "unit": "10*9/L"}],
        }
    ],
}
WIDE = {
    "id": "wide",
    "source_id": "wide",
    "tables": [
        {
            "table": "lab",
            "columns": {"person_id": "pid", "collected_at": "visit"},
            "wide": {
                "WBC": {"code": "6690-2", "unit": "10*9/L"},
                "ANC": {"code": "751-8", "unit": "cells/uL"},
                "NEUT_PCT": {"code": "770-8", "unit": "%"},
            },
        },
        {
            "table": "person",
            "needs": ["person_id", "sex"],
            "is_shared": True,
            "columns": {"person_id": "pid", "sex": "sex"},
        },
    ],
}
TRIAL = {
    "id": "trial",
    "source_id": "trial",
    "layout": "nonmem",
    "codes": {"2": "26499-4"},
    "units": {"2": "10*9/L"},
    "tables": [
        {"table": "lab", "columns": {"code": "DVID"}},
        {"table": "exposure", "columns": {}, "constants": {"agent": "docetaxel", "dose_unit": "mg"}},
    ],
}
EVENTS = (
    f"SELECT * FROM (VALUES (1, NULL::TIMESTAMP, 'GENDER//F', NULL::FLOAT, NULL::VARCHAR), "
    f"(1, TIMESTAMP '2124-03-02 06:00:00', 'LAB//51301//K/uL', 1.5, '{SPECIMEN}'), "
    f"(1, TIMESTAMP '2124-03-03 06:00:00', 'LOINC/751-8//10*3/uL', NULL, '<0.1'), "
    f"(1, TIMESTAMP '2124-03-01 09:00:00', 'MEDICATION//START//{DRUG}', NULL, NULL)) "
    "t(subject_id, time, code, numeric_value, text_value)"
)
TYPED = (
    f"SELECT '{PERSON}' || (i % 3) AS person_id, '{SPECIMEN}' || i AS specimen_id, "
    "TIMESTAMP '2024-03-01 08:00:00' + to_days(i::INTEGER) AS collected_at, '751-8' AS test_code, "
    "(i / 2.0)::DOUBLE AS value, '10*9/L' AS unit FROM range(8) t(i)"
)


@cache
def all_seeds() -> tuple[Seed, ...]:
    """Every extract, in a fixed order."""
    return (*_local(), *_mapped(), *_archives(), *_parquet(), *_standards(), *_fhir())


def _local() -> list[Seed]:
    plain, drugs = seeds.text(seeds.labs()), seeds.text(seeds.drugs()).encode()
    quoted = "".join(",".join(f'"{cell}"' for cell in row) + "\r\n" for row in seeds.labs())
    packings = [
        Seed(f"long.{packing}", {f"labs.csv.{packing}": seeds.packed(f".{packing}", plain.encode())})
        for packing in ("gz", "xz", "zst")
    ]
    return [
        Seed("long.csv", {"labs.csv": plain.encode(), "drugs.csv": drugs}),
        Seed("long.one.csv", {"labs.csv": plain.encode()}),
        Seed("long.tsv", {"labs.tsv": seeds.text(seeds.labs(), "\t").encode("utf-16")}),
        Seed("long.psv", {"labs.psv": seeds.text(seeds.labs(), "|", "\r\n").encode("utf-8-sig")}),
        Seed("long.quoted.csv", {"labs.csv": quoted.encode()}),
        Seed("long.xlsx", {"labs.xlsx": seeds.workbook({"Labs": seeds.labs(), "Drugs": seeds.drugs()})}),
        Seed("long.ods", {"labs.ods": seeds.open_document(seeds.labs())}),
        *packings,
    ]


def _mapped() -> list[Seed]:
    rows = [("pid", "sample", "taken", "test", "result", "unit", "state")]
    rows += [
        (f"{PERSON}{n}", f"{SPECIMEN}{n}", f"2024-03-0{n} 08:00", "NEUT", f"{n},5", "", "final") for n in range(1, 6)
    ]
    clinic = {**MAP, "encoding": "latin-1", "delimiter": ";", "decimal": ","}
    sheet = [("pid", "visit", "sex", "WBC", "ANC", "NEUT_PCT"), (f"{PERSON}1", "2024-03-01", "f", "3.5", "1200", "34")]
    table = (
        "C,ID,TIME,DV,AMT,EVID,MDV,CMT,DVID\n.,1,0,.,100,1,1,1,.\n.,1,24,2.4,.,0,0,2,1\n.,1,168,0.4,0,0,0,3,2\n"
        ".,2,0,.,50,1,1,1,.\n.,2,100.5,1.9,0,0,0,3,2\n"
    )
    return [
        Seed("map.csv", {"source.yaml": seeds.as_yaml(clinic), "labs.csv": seeds.text(rows, ";").encode("latin-1")}),
        Seed("wide.csv", {"source.yaml": seeds.as_yaml(WIDE), "sheet.csv": seeds.text(sheet).encode()}),
        Seed("wide.xlsx", {"source.yaml": seeds.as_yaml(WIDE), "sheet.xlsx": seeds.workbook({"A": sheet})}),
        Seed("nonmem", {"source.yaml": seeds.as_yaml(TRIAL), "trial.csv": table.encode()}),
    ]


def _archives() -> list[Seed]:
    plain, drugs = seeds.text(seeds.labs()).encode(), seeds.text(seeds.drugs()).encode()
    inner = seeds.zipped({"more/labs.csv": plain})
    members = {"data/labs.csv.gz": gzip.compress(plain, mtime=0), "data/drugs.csv": drugs, "readme.txt": b"hello"}
    return [
        Seed("zip", {"export.zip": seeds.zipped(members)}),
        Seed("zip.nested", {"export.zip": seeds.zipped({"inner.zip": inner, "labs.csv": plain})}),
    ]


def _parquet() -> list[Seed]:
    strange = (
        f"SELECT *, [unit, 'x'] AS tags, {{'a': value, 'b': [value]}} AS nested, map {{'k': value}} AS pairs, "
        f"'{SPECIMEN}'::BLOB AS raw, value::DECIMAL(18, 4) AS exact FROM ({TYPED})"
    )
    delta = {"use_dictionary": False, "data_page_version": "2.0", "compression": "zstd"}
    encodings = dict.fromkeys(seeds.HEADER, "DELTA_BYTE_ARRAY")
    return [
        Seed("typed.parquet", {"labs.parquet": seeds.parquet_by(TYPED)}),
        Seed("nested.parquet", {"labs.parquet": seeds.parquet_by(strange, ", COMPRESSION gzip")}),
        Seed("text.parquet", {"labs.parquet": seeds.parquet(seeds.labs(), compression="snappy")}),
        Seed("delta.parquet", {"labs.parquet": seeds.parquet(seeds.labs(40), column_encoding=encodings, **delta)}),
        Seed("meds", {"0.parquet": seeds.parquet_by(EVENTS)}),
    ]


def _standards() -> list[Seed]:
    omop, mimic = seeds.simulated("omop"), seeds.simulated("mimic_iv")
    own = {name: omop[name] for name in ("PERSON.csv", "MEASUREMENT.csv")}
    tables = {"measurement": _as_sql(omop["MEASUREMENT.csv"]), "person": _as_sql(omop["PERSON.csv"])}
    few = {name: mimic[name] for name in ("labevents.csv", "patients.csv", "prescriptions.csv", "d_labitems.csv")}
    return [
        Seed("omop.csv", own),
        Seed("omop.duckdb", {"cdm.duckdb": seeds.database(tables)}),
        Seed("mimic_iv", {f"{name}.gz": seeds.packed(".gz", content) for name, content in few.items()}),
        Seed("mimic_iii", {"LABEVENTS.csv": MIMIC_III.encode(), "D_LABITEMS.csv": LABITEMS.encode()}),
        Seed("nhanes.xpt", {"CBC_J.xpt": seeds.transport(COUNTS, 5, column_labels=LABELS)}),
        Seed("nhanes.demo.xpt", {"CBC_J.xpt": seeds.transport(COUNTS, 5), "DEMO_J.xpt": seeds.transport(PEOPLE, 5)}),
        Seed("sdtm.v8.xpt", {"lb.xpt": seeds.transport(LB, 8)}),
        Seed("sdtm.v5.xpt.gz", {"lb.xpt.gz": seeds.packed(".gz", seeds.transport(LB, 5))}),
        Seed("sdtm.csv", {"lb.csv": _csv_of(LB)}),
        Seed("clif", {name: content.encode() for name, content in CLIF.items()}),
        Seed("eicu", {name: content.encode() for name, content in EICU.items()}),
    ]


def _fhir() -> list[Seed]:
    found = seeds.fhir_resources()
    return [
        Seed("fhir.bundle", {"bundle.json": seeds.bundle(found)}),
        Seed("fhir.stu3.xz", {"bundle.json.xz": seeds.packed(".xz", seeds.bundle(seeds.fhir_resources("STU3")))}),
        Seed("fhir.ndjson", {"all.ndjson": seeds.lines(found)}),
        Seed("fhir.ndjson.gz", {"all.ndjson.gz": seeds.packed(".gz", seeds.lines(found))}),
        Seed("fhir.single", {"observation.json": seeds.json.dumps(found[1], indent=2).encode()}),
        Seed("fhir.list", {"list.json": seeds.json.dumps(found).encode()}),
    ]


def _as_sql(content: bytes) -> str:
    header, *rows = (line.split(",") for line in content.decode().splitlines())
    values = ", ".join(f"({', '.join(_cell(cell) for cell in row)})" for row in rows)
    return f"SELECT * FROM (VALUES {values}) t({', '.join(header)})"


def _cell(cell: str) -> str:
    return f"'{cell}'" if cell else "NULL::VARCHAR"


def _csv_of(columns: dict[str, list[object]]) -> bytes:
    return seeds.text([list(columns), *zip(*columns.values(), strict=True)]).encode()


MIMIC_III = (
    "ROW_ID,SUBJECT_ID,HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,FLAG\n"
    f"1,{PERSON},100,51301,2150-01-02 06:00:00,0.1,0.1,K/uL,abnormal\n"
    f"2,{PERSON},100,51256,2150-01-02 06:00:00,80,80,%,\n3,{PERSON},,51301,2149-12-01 06:00:00,<0.1,,K/uL,\n"
)
LABITEMS = "ROW_ID,ITEMID,LABEL,FLUID,CATEGORY,LOINC_CODE\n1,51301,White Blood Cells,Blood,Hematology,804-5\n"
LABELS = {"LBXWBCSI": "White blood cell count (1000 cells/uL)"}
COUNTS: dict[str, list[object]] = {
    "SEQN": [93703.0, 93704.0, 93705.0],
    "LBXWBCSI": [None, 7.4, 1.1],
    "LBDNENO": [None, 3.2, 0.0],
}
PEOPLE: dict[str, list[object]] = {
    "SEQN": [93703.0, 93704.0],
    "SDDSRVYR": [10.0, 10.0],
    "RIAGENDR": [2.0, 1.0],
    "RIDAGEYR": [80.0, 0.0],
    "WTMEC2YR": [8539.5, 0.0],
    "SDMVPSU": [2.0, 1.0],
    "SDMVSTRA": [145.0, 143.0],
}
LB: dict[str, list[object]] = {
    "STUDYID": ["S1", "S1"],
    "DOMAIN": ["LB", "LB"],
    "USUBJID": [f"{PERSON}1", f"{PERSON}2"],
    "LBTESTCD": ["NEUT", "WBC"],
    "LBORRES": ["1.2", "0.4"],
    "LBORRESU": ["10^9/L", "10^9/L"],
    "LBSTRESN": [1.2, 0.4],
    "LBDTC": ["2014-01-09T09:20", "2014-01"],
    "LBDY": [8.0, 9.0],
}
CLIF = {
    "clif_hospitalization.csv": (
        "patient_id,hospitalization_id,admission_dttm,discharge_dttm,age_at_admission,admission_type_category\n"
        f"{PERSON},H1,2024-03-01 07:00:00+00:00,2024-03-20 07:00:00+00:00,74,ed\n"
    ),
    "clif_labs.csv": (
        "hospitalization_id,lab_collect_dttm,lab_result_dttm,lab_order_category,lab_name,lab_category,"
        "lab_value,lab_value_numeric,reference_unit,lab_specimen_category,lab_loinc_code\n"
        "H1,2024-03-05 06:00:00+00:00,2024-03-05 07:00:00+00:00,cbc,WBC,wbc,1.2,1.2,10^3/µL,plasma_blood,6690-2\n"
        "H1,2024-03-05 06:00:00+00:00,,cbc,ANC,neutrophils_absolute,<0.1,,10^3/µL,,\n"
    ),
}
EICU = {
    "patient.csv": (
        "patientunitstayid,patienthealthsystemstayid,gender,age,ethnicity,hospitaladmitoffset,hospitaldischargeoffset,"
        f"hospitaldischargestatus,uniquepid\n10,800,Female,52,Caucasian,-720,15280,Alive,{PERSON}\n"
    ),
    "lab.csv": (
        "labid,patientunitstayid,labresultoffset,labtypeid,labname,labresult,labresulttext,labmeasurenamesystem,"
        "labmeasurenameinterface,labresultrevisedoffset\n1,10,0,3,WBC x 1000,0.4,0.4,K/mcL,K/uL,10\n"
        "2,10,60,3,-polys,12,12,%,%,70\n"
    ),
}
