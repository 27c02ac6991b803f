"""A case is a number, which says what extract is damaged, how, and what is asked of it; it is the same each time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.fuzz.damage_archives import WORKBOOK, ZIP
from tests.fuzz.damage_bytes import ANY, Damage, inside
from tests.fuzz.damage_json import JSON
from tests.fuzz.damage_maps import MAPS
from tests.fuzz.damage_tables import DATABASE, PARQUET, TRANSPORT
from tests.fuzz.damage_text import TEXT
from tests.fuzz.extracts import all_seeds
from tests.fuzz.surroundings import AROUND, CHANGES, MOMENTS

Way = Literal["receive", "map", "read_map"]
SLOW_TO_MAP = frozenset({"many_columns", "long_field"})  # each column of a local export is looked at for some time
PACKED = (".gz", ".xz", ".zst")
MAP_SHARE, AROUND_SHARE, CHANGE_SHARE, TWICE_SHARE = 0.06, 0.08, 0.04, 0.2


@dataclass(frozen=True)
class Case:
    """One extract to be read. `change` is what happens to `victim` at `moment` while it is read."""

    number: int
    seed: str
    damage: str
    way: Way
    files: Mapping[str, bytes]
    victim: str
    is_named: bool = False
    around: str = ""
    change: str = ""
    moment: str = ""

    @property
    def key(self) -> str:
        """What was done, for the table of outcomes."""
        return self.around or (f"{self.change} when {self.moment}" if self.change else self.damage.split(" + ", 1)[0])


def make_case(run_seed: int, number: int) -> Case:
    """The case of this number in the run with this seed."""
    rng = Random(f"{run_seed}/{number}")  # noqa: S311 - it must be the same again
    seed = rng.choice(all_seeds())
    victim = rng.choice(sorted(seed.files))
    draw = rng.random()
    way: Way = "map" if draw < MAP_SHARE and "source.yaml" not in seed.files else "receive"
    if way == "receive" and victim == "source.yaml" and rng.random() < 0.5:
        way = "read_map"
    what, told = rng.random(), dict[str, str]()
    files = dict(seed.files)
    if what < AROUND_SHARE and way != "read_map":
        told = {"around": rng.choice(list(AROUND))}
    elif what < AROUND_SHARE + CHANGE_SHARE and way == "receive" and victim != "source.yaml":
        told = {"change": rng.choice(list(CHANGES)), "moment": rng.choice(MOMENTS)}
    damage = ""
    if not told or rng.random() < TWICE_SHARE:
        damage, files[victim] = _damaged(victim, files[victim], rng, way)
    is_named = rng.random() < 0.3 and not told and "source.yaml" not in files
    return Case(number, seed.name, damage, way, files, victim, is_named, **told)


def _damaged(name: str, content: bytes, rng: Random, way: Way) -> tuple[str, bytes]:
    damages = {
        key: damage for key, damage in rng.choice(_families(name)).items() if way != "map" or key not in SLOW_TO_MAP
    }
    done = []
    for _ in range(2 if rng.random() < TWICE_SHARE else 1):
        if content:
            chosen = rng.choice(list(damages))
            content = damages[chosen](content, rng)
            done.append(chosen)
    return " + ".join(done), content


def _families(name: str) -> Sequence[Mapping[str, Damage]]:
    """The kinds of damage to a file of this name, some of them more often."""
    if name.endswith(".yaml"):
        return [MAPS]
    plain = next((name.removesuffix(end) for end in PACKED if name.endswith(end)), name)
    own = next(found for ends, found in FAMILIES.items() if plain.endswith(ends))
    packed = [INSIDE] if plain != name else []
    return [ANY, *packed, own, own]


INSIDE: Mapping[str, Damage] = {f"inside_{name}": inside(damage) for name, damage in ANY.items()}
FAMILIES: Mapping[tuple[str, ...], Mapping[str, Damage]] = {
    (".csv", ".tsv", ".psv"): TEXT,
    (".json", ".ndjson"): JSON,
    (".zip",): ZIP,
    (".xlsx", ".ods"): WORKBOOK,
    (".parquet",): PARQUET,
    (".xpt",): TRANSPORT,
    (".duckdb",): DATABASE,
}
