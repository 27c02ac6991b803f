"""Every example that the ANC routes ship with comes out as the definition says."""

from typing import Any

import pytest

from transforms.load import SHIPPED, _read
from transforms.model.anc import AncRoutes

EXAMPLES = _read(SHIPPED / "anc" / "routes.yaml", AncRoutes).examples


@pytest.mark.parametrize("example", [pytest.param(example, id=example["case"]) for example in EXAMPLES])
def test_an_example_of_the_routes_comes_out_as_written(example: dict[str, Any], specimen: Any, anc_of: Any) -> None:
    found = anc_of(specimen(example["results"]))
    if example["anc"] is None:
        assert found == []
        return
    expected = dict(example["anc"])
    count = expected.pop("cells_per_ul")
    lower, upper = expected.pop("lower", count), expected.pop("upper", count)
    (row,) = found
    assert (row["anc_cells_per_ul"], row["lower_cells_per_ul"], row["upper_cells_per_ul"]) == (count, lower, upper)
    flags = {"bands_assumed_zero": False, "is_discordant": False} | expected
    assert {name: row[name] for name in flags} == flags
