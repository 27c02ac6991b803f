"""A site chooses among the cohorts; the others are not there, and a name of none is told."""

from pathlib import Path

import pytest

from transforms.errors import DefinitionError
from transforms.load import load_definitions


def _lay(folder: Path, cohorts: str) -> Path:
    (folder / "shelf.yaml").write_text(f"cohorts: [{cohorts}]\nwhy: a test\n", encoding="utf-8")
    return folder


def test_only_the_cohorts_of_the_shelf_take_part_and_the_hash_tells(tmp_path: Path) -> None:
    chosen = load_definitions(_lay(tmp_path, "women, everyone"))
    assert [cohort.id for cohort in chosen.cohorts] == ["everyone", "women"]
    assert chosen.hash != load_definitions().hash
    assert chosen.overrides == ("shelf.yaml",)


def test_a_cohort_of_ones_own_may_stand_on_the_shelf(tmp_path: Path) -> None:
    shipped = load_definitions().files["cohorts/women.yaml"].read_text(encoding="utf-8")
    (tmp_path / "cohorts").mkdir()
    (tmp_path / "cohorts" / "ours.yaml").write_text(shipped.replace("id: women", "id: ours"), encoding="utf-8")
    assert [cohort.id for cohort in load_definitions(_lay(tmp_path, "ours")).cohorts] == ["ours"]


def test_a_name_of_no_cohort_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as raised:
        load_definitions(_lay(tmp_path, "everyone, womem"))
    assert "womem" in str(raised.value)
    assert "women" in str(raised.value).splitlines()[-1]
