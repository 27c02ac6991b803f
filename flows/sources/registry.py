"""Every layout that can be recognised: those shipped, and those of a site's own installed packages."""

from collections.abc import Mapping
from functools import cache

from flows.sources.protocol import Layout
from transforms.plugins import SOURCES, load_points, shipped_point

LONG = "long"
_SHIPPED = (
    LONG,
    "cdisc",
    "clif",
    "eicu",
    "fhir",
    "meds",
    "mimic_iii",
    "mimic_iv",
    "nhanes",
    "nonmem",
    "omop",
)
_MODULES = {LONG: "mapped"}


@cache
def load_layouts() -> Mapping[str, Layout]:
    """By the name that a source map says in `layout`; the one of maps that say none is `long`."""
    shipped = [shipped_point(SOURCES, name, f"flows.sources.{_MODULES.get(name, name)}:LAYOUT") for name in _SHIPPED]
    return load_points(SOURCES, Layout, shipped)


def layout_of(name: str) -> Layout | None:
    """The layout that a source map names, `long` for none."""
    return load_layouts().get(name or LONG)
