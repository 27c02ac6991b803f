"""Resources of FHIR as a small hospital sends them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flows.handover import Received

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
SNOMED = "http://snomed.info/sct"
ANC = "751-8"
WBC = "6690-2"
SHIPPED = Path(__file__).parents[2] / "transforms" / "definitions" / "source_maps" / "fhir.yaml"
Resource = dict[str, Any]
Rows = Callable[..., list[tuple[object, ...]]]
Aside = Callable[[Received], dict[str, int]]


def concept(code: str, system: str = LOINC, **more: str) -> Resource:
    return {"coding": [{"system": system, "code": code, **more}]}


def quantity(value: float, unit: str = "10*3/uL", **more: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit, **more}


def observation(loinc: str = ANC, value: float | None = 2.5, **more: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": concept(loinc),
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2020-03-01T08:30:00+01:00",
        **({"valueQuantity": quantity(value)} if value is not None else {}),
        **more,
    }


def patient(key: str = "p1", **more: Any) -> Resource:
    return {"resourceType": "Patient", "id": key, "gender": "female", "birthDate": "1960-05-04", **more}


def bundle(*resources: Resource, urls: Mapping[int, str] | None = None) -> str:
    entries = [
        {**({"fullUrl": urls[place]} if urls and place in urls else {}), "resource": resource}
        for place, resource in enumerate(resources)
    ]
    return json.dumps({"type": "collection", "entry": entries, "resourceType": "Bundle"}, indent=1)


def lines(*resources: Resource) -> str:
    return "".join(json.dumps(resource) + "\n" for resource in resources)


def send(hospital: Any, *resources: Resource) -> Received:
    return hospital.receive(hospital.write("export.json", bundle(*resources), f"night_{hospital.n_nights}"))
