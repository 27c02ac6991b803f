"""Small whole extracts of every layout that nadir reads, as tables of text: 36 people with a few rows each.

What the simulated hospital writes comes from there; the rest is written here, a header and the rows of person {p}, who
has the stay {s}. Columns that nadir has no use for are among them, as they are in real exports.
"""

import csv
import gzip
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from flows.simulation.hospital import Format, SimulationRequest, simulate_hospital

PEOPLE = 36
Table = list[list[str]]

WRITTEN: Mapping[str, Mapping[str, str]] = {
    "wide": {
        "visits.csv": (
            "pid,visit,sex,WBC,ANC,NEUT_UNIT,ward,analyser\n"
            "w{p},2024-05-02 09:00,f,2.1,0.9,10*9/L,A1,XN-10\n"
            "w{p},2024-05-16 09:00,f,4.0,2.2,10*9/L,A1,XN-10\n"
        ),
    },
    "mimic_iii": {
        "PATIENTS.csv": (
            "ROW_ID,SUBJECT_ID,GENDER,DOB,DOD,DOD_HOSP,DOD_SSN,EXPIRE_FLAG\n"
            "1,{p},F,2080-05-01 00:00:00,2150-02-01 00:00:00,,,1\n"
        ),
        "ADMISSIONS.csv": (
            "ROW_ID,SUBJECT_ID,HADM_ID,ADMITTIME,DISCHTIME,DEATHTIME,ADMISSION_TYPE,ADMISSION_LOCATION,"
            "DISCHARGE_LOCATION,INSURANCE,LANGUAGE,RELIGION,MARITAL_STATUS,ETHNICITY,EDREGTIME,EDOUTTIME,DIAGNOSIS,"
            "HOSPITAL_EXPIRE_FLAG,HAS_CHARTEVENTS_DATA\n"
            "1,{p},{s},2150-01-01 12:00:00,2150-01-09 12:00:00,,EMERGENCY,CLINIC,HOME,Medicare,ENGL,NONE,MARRIED,WHITE,"
            ",,FEVER,0,1\n"
        ),
        "LABEVENTS.csv": (
            "ROW_ID,SUBJECT_ID,HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,FLAG\n"
            "1,{p},{s},51301,2150-01-02 06:00:00,1.1,1.1,K/uL,abnormal\n"
            "2,{p},{s},51256,2150-01-02 06:00:00,80,80,%,\n"
            "3,{p},{s},51301,2150-01-08 06:00:00,4.1,4.1,K/uL,\n"
            "4,{p},{s},51256,2150-01-08 06:00:00,70,70,%,\n"
            "5,{p},{s},50983,2150-01-08 06:00:00,140,140,mEq/L,\n"
        ),
        "D_LABITEMS.csv": (
            "ROW_ID,ITEMID,LABEL,FLUID,CATEGORY,LOINC_CODE\n1,51301,White Blood Cells,Blood,Hematology,804-5\n"
            "2,51256,Neutrophils,Blood,Hematology,770-8\n3,50983,Sodium,Blood,Chemistry,2951-2\n"
        ),
        "DIAGNOSES_ICD.csv": "ROW_ID,SUBJECT_ID,HADM_ID,SEQ_NUM,ICD9_CODE\n1,{p},{s},1,28803\n",
        "PRESCRIPTIONS.csv": (
            "ROW_ID,SUBJECT_ID,HADM_ID,ICUSTAY_ID,STARTDATE,ENDDATE,DRUG_TYPE,DRUG,DRUG_NAME_POE,DRUG_NAME_GENERIC,"
            "FORMULARY_DRUG_CD,GSN,NDC,PROD_STRENGTH,DOSE_VAL_RX,DOSE_UNIT_RX,FORM_VAL_DISP,FORM_UNIT_DISP,ROUTE\n"
            "1,{p},{s},,2149-12-28 00:00:00,2149-12-29 00:00:00,MAIN,Cytarabine,Cytarabine,Cytarabine,CYTA,1,2,200mg,"
            "200,mg,1,VIAL,IV\n"
        ),
    },
    "eicu": {
        "patient.csv": (
            "patientunitstayid,patienthealthsystemstayid,gender,age,ethnicity,hospitalid,wardid,apacheadmissiondx,"
            "admissionheight,hospitaladmittime24,hospitaladmitoffset,hospitaladmitsource,hospitaldischargeyear,"
            "hospitaldischargetime24,hospitaldischargeoffset,hospitaldischargelocation,hospitaldischargestatus,"
            "unittype,unitadmittime24,unitadmitsource,unitvisitnumber,unitstaytype,admissionweight,dischargeweight,"
            "unitdischargetime24,unitdischargeoffset,unitdischargelocation,unitdischargestatus,uniquepid\n"
            "{p},{s},Female,52,Caucasian,1,2,Sepsis,170,10:00:00,-720,Floor,2014,11:00:00,15280,Home,Alive,MICU,"
            "22:00:00,Floor,1,admit,70,71,10:00:00,9000,Home,Alive,002-{p}\n"
        ),
        "lab.csv": (
            "labid,patientunitstayid,labresultoffset,labtypeid,labname,labresult,labresulttext,labmeasurenamesystem,"
            "labmeasurenameinterface,labresultrevisedoffset\n"
            "1,{p},0,3,WBC x 1000,0.4000,0.4,K/mcL,K/uL,10\n2,{p},0,3,-polys,20,20,%,%,10\n"
            "3,{p},7200,3,WBC x 1000,4.1000,4.1,K/mcL,K/uL,7210\n4,{p},7200,3,-polys,70,70,%,%,7210\n"
        ),
        "medication.csv": (
            "medicationid,patientunitstayid,drugorderoffset,drugstartoffset,drugivadmixture,drugordercancelled,"
            "drugname,drughiclseqno,dosage,routeadmin,frequency,loadingdose,prn,drugstopoffset,gtc\n"
            "1,{p},-600,-600,No,No,CEFEPIME HCL,1,1 g,IV,Q8H,,No,1000,0\n"
        ),
        "diagnosis.csv": (
            "diagnosisid,patientunitstayid,activeupondischarge,diagnosisoffset,diagnosisstring,icd9code,"
            'diagnosispriority\n1,{p},True,10,hematology|neutropenia,"288.0, D70",Primary\n'
        ),
    },
    "cdisc": {
        "dm.csv": (
            "STUDYID,DOMAIN,USUBJID,SUBJID,RFSTDTC,RFENDTC,RFICDTC,RFPENDTC,DTHDTC,BRTHDTC,AGE,AGEU,SEX,RACE,ETHNIC,"
            "ARMCD\nS1,DM,01-{p},{p},2014-01-02,2014-06-01,2013-12-26,2014-07-02T11:45,,1951-01-01,63,YEARS,F,WHITE,"
            "HISPANIC OR LATINO,Xan_Hi\n"
        ),
        "lb.csv": (
            "STUDYID,DOMAIN,USUBJID,LBTESTCD,LBTEST,LBCAT,LBORRES,LBORRESU,LBORNRLO,LBSTRESC,LBSTRESN,LBSTRESU,"
            "LBSPEC,LBDTC,LBDY,LBNAM\n"
            "S1,LB,01-{p},NEUT,Neutrophils,HEMATOLOGY,1.2,10^9/L,1.8,1.2,1.2,10^9/L,BLOOD,2014-01-09T09:20,8,Lab A\n"
            "S1,LB,01-{p},NEUT,Neutrophils,HEMATOLOGY,2.2,10^9/L,1.8,2.2,2.2,10^9/L,BLOOD,2014-01-19T09:20,18,Lab A\n"
        ),
        "ex.csv": (
            "STUDYID,DOMAIN,USUBJID,EXTRT,EXDOSE,EXDOSU,EXROUTE,EXSTDTC,EXENDTC\n"
            "S1,EX,01-{p},DOCETAXEL,100,mg,INTRAVENOUS,2014-01-02,2014-01-02\n"
        ),
        "ae.csv": (
            "STUDYID,DOMAIN,USUBJID,AETERM,AEDECOD,AEPTCD,AESTDTC,AEENDTC,AEOUT\n"
            "S1,AE,01-{p},low neutrophils,Neutropenia,10029354,2014-01-09,2014-01-19,RECOVERED\n"
        ),
        "vs.csv": (
            "STUDYID,DOMAIN,USUBJID,VSTESTCD,VSORRES,VSORRESU,VSSTRESN,VSSTRESU,VSLOC,VSDTC\n"
            "S1,VS,01-{p},TEMP,38.6,C,38.6,C,ORAL CAVITY,2014-01-09T09:20\n"
        ),
    },
    "nhanes": {
        "CBC_J.csv": ("SEQN,LBXWBCSI,LBXNEPCT,LBDNENO,LBDBANO,LBXPLTSI,LBXMCVSI\n{n},7.4,43.2,3.2,0.1,250,90\n"),
        "DEMO_J.csv": (
            "SEQN,SDDSRVYR,RIAGENDR,RIDAGEYR,RIDRETH1,RIDRETH3,WTMEC2YR,SDMVPSU,SDMVSTRA,DMDMARTL\n"
            "{n},10,2,80,5,6,8539.5,2,145,1\n"
        ),
        "RXQ_RX_J.csv": "SEQN,RXDUSE,RXDDRUG,RXDDRGID,RXQSEEN,RXDDAYS,RXDRSC1\n{n},1,CLOZAPINE,d00199,1,30,F20\n",
    },
    "meds": {
        "data.csv": (
            "subject_id,time,code,numeric_value,text_value,hadm_id\n"
            "{n},,GENDER//F,,,\n{n},1950-01-01 00:00:00,MEDS_BIRTH,,,\n{n},,RACE//WHITE,,,\n"
            "{n},2124-03-01 07:00:00,HOSPITAL_ADMISSION//EW EMER.//UNK,,,11\n"
            "{n},2124-03-02 06:00:00,LAB//51301//K/uL,1.5,,11\n{n},2124-03-02 06:00:00,LAB//51256//%,20.0,20,11\n"
            "{n},2124-03-08 06:00:00,LAB//51301//K/uL,3.5,,11\n{n},2124-03-08 06:00:00,LAB//51256//%,70.0,70,11\n"
            "{n},2124-03-01 10:00:00,MEDICATION//Docetaxel//Administered,,,11\n"
            "{n},2124-03-09 07:00:00,HOSPITAL_DISCHARGE//HOME,,,11\n"
            "{n},2124-03-09 07:00:00,DIAGNOSIS//ICD//10//C509,,,11\n"
        ),
    },
    "clif": {
        "clif_patient.csv": (
            "patient_id,race_name,race_category,ethnicity_name,ethnicity_category,sex_name,sex_category,birth_date,"
            "death_dttm\nP{p},x,White,x,Hispanic,x,Female,1950-01-01,\n"
        ),
        "clif_hospitalization.csv": (
            "patient_id,hospitalization_id,admission_dttm,discharge_dttm,age_at_admission,admission_type_category,"
            "discharge_category\nP{p},H{p},2024-03-01 07:00:00+00:00,2024-03-20 07:00:00+00:00,74,ed,home\n"
        ),
        "clif_labs.csv": (
            "hospitalization_id,lab_order_dttm,lab_collect_dttm,lab_result_dttm,lab_order_category,lab_name,"
            "lab_category,lab_value,lab_value_numeric,reference_unit,lab_specimen_category,lab_loinc_code\n"
            "H{p},,2024-03-05 06:00:00+00:00,2024-03-05 07:00:00+00:00,cbc,ANC,neutrophils_absolute,0.9,0.9,10^3/µL,"
            "plasma_blood,26499-4\n"
            "H{p},,2024-03-12 06:00:00+00:00,2024-03-12 07:00:00+00:00,cbc,ANC,neutrophils_absolute,2.9,2.9,10^3/µL,"
            "plasma_blood,26499-4\n"
        ),
        "clif_medication_admin_intermittent.csv": (
            "hospitalization_id,med_order_id,admin_dttm,med_name,med_category,med_group,med_route_category,med_dose,"
            "med_dose_unit,mar_action_category\n"
            "H{p},1,2024-03-02 08:00:00+00:00,BACTRIM DS,trimethoprim_sulfamethoxazole,x,enteral,1,tablet,given\n"
        ),
        "clif_hospital_diagnosis.csv": (
            "hospitalization_id,diagnosis_code,diagnosis_code_format,diagnosis_primary,poa_present\n"
            "H{p},C92.00,ICD10CM,1,1\n"
        ),
        "clif_vitals.csv": (
            "hospitalization_id,recorded_dttm,vital_name,vital_category,vital_value,meas_site_name\n"
            "H{p},2024-03-05 08:00:00+00:00,TEMP,temp_c,38.6,oral\n"
        ),
    },
    "nonmem": {
        "trial.csv": (
            "C,ID,TIME,DV,AMT,EVID,MDV,CMT,DVID,RATE,II,ADDL,CENS,WT\n"
            ".,{n},0,.,100,1,1,1,.,50,0,0,.,70\n.,{n},168,0.4,0,0,0,3,2,.,.,.,0,70\n.,{n},400,2.4,0,0,0,3,2,.,.,.,0,70\n"
        ),
    },
}
MAPS: Mapping[str, str] = {
    "wide": (
        "id: wide\nsource_id: clinic\ntables:\n  - table: lab\n    columns: {person_id: pid, collected_at: visit}\n"
        '    wide:\n      WBC: {code: "6690-2", unit: 10*9/L}\n      ANC: {code: "751-8", unit_column: NEUT_UNIT}\n'
        "  - table: person\n    needs: [person_id, sex]\n    columns: {person_id: pid, sex: sex}\n    is_shared: true\n"
    ),
    "nonmem": (
        "id: trial\nsource_id: trial\nlayout: nonmem\ncodes: {'2': 26499-4}\nunits: {'2': 10*9/L}\ntables:\n"
        "  - {table: lab, columns: {code: DVID}}\n"
        "  - {table: exposure, columns: {}, constants: {agent: docetaxel, dose_unit: mg}}\n"
    ),
}


def tables_of(layout: str) -> dict[str, Table]:
    """The tables of an extract by file name, header first; each call gives its own."""
    return {name: [list(row) for row in rows] for name, rows in _tables_of(layout).items()}


@cache
def _tables_of(layout: str) -> Mapping[str, Table]:
    if layout in WRITTEN:
        return {name: _expand(text) for name, text in WRITTEN[layout].items()}
    with TemporaryDirectory() as folder:
        simulated = simulated_files(layout, Path(folder))
        return {name.removesuffix(".gz"): list(csv.reader(io.StringIO(text))) for name, text in simulated.items()}


def simulated_files(layout: str, folder: Path) -> dict[str, str]:
    """The files that the simulated hospital writes, unpacked, by name below `folder`."""
    names: dict[str, Format] = {
        "long": "delimited",
        "omop": "omop",
        "mimic_iv": "mimic_iv",
        "fhir": "fhir",
        "fhir_bundles": "fhir_bundles",
    }
    simulate_hospital(SimulationRequest(people=PEOPLE, days=80, format=names[layout], out=folder, seed=3))
    read = {
        path.relative_to(folder).as_posix(): gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return {name: content.decode() for name, content in read.items()}


def _expand(text: str) -> Table:
    header, *rows = text.splitlines()
    people = range(1, PEOPLE + 1)
    lines = [row for person in people for row in _of_person(rows, person)]
    return list(csv.reader([header, *dict.fromkeys(lines)]))


def _of_person(rows: list[str], person: int) -> list[str]:
    return [row.format(p=f"{person:04}", s=f"{person + 5000}", n=person + 93000) for row in rows]
