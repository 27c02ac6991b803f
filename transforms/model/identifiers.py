"""How columns that identify a person are told: classes with their headers and shapes, check digits, and thresholds."""

from typing import Annotated, Literal

import polars as pl
from pydantic import ConfigDict, Field, field_validator

from transforms.model.base import Definition, Part

# `one` cell is enough, or `many` cells of a column must have the shape.
Enough = Literal["one", "many"]


def _pattern(pattern: str) -> str:
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        raise ValueError("no regular expression") from error
    return pattern


class Shape(Part):
    """How a value of the class is written: `pattern` fits the whole of a cell, or a part of a text between blanks.

    `check` names the check digit that a match must have; `refuse` takes a match back. `needs` is a pattern that the
    cell must fit elsewhere. `many` shapes are told by the share of distinct cells that fit.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    pattern: str
    where: Literal["cell", "text"] = "text"
    check: str = ""
    refuse: str = ""
    enough: Enough = "one"

    @field_validator("pattern", "refuse")
    @classmethod
    def _be_a_pattern(cls, pattern: str) -> str:
        return _pattern(pattern)


class IdentifierClass(Definition):
    """One class of identifier, or an element that a limited data set may keep (`is_allowed`).

    `safe_harbor` is its letter in 45 CFR 164.514(b)(2)(i). A header is of the class if it has one of `words` as whole
    words or one of `stems` anywhere, and none of `unless`; `weak_words` say so only together with what the cells look
    like. `cells` is a pattern that many cells under such a header fit; those that fit `kept_cells` as a whole are too
    coarse to identify, and may stay. Of a class that `can_generalise` a source map may keep years or topped ages.
    """

    safe_harbor: str = Field("", pattern=r"^[A-R]?$")
    is_allowed: bool = False
    can_generalise: bool = False
    words: tuple[str, ...] = ()
    weak_words: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    cells: str = ""
    kept_cells: str = ""
    shapes: tuple[Shape, ...] = ()


class Weighted(Part):
    """A sum of weighted places modulo a number; weights repeat, from the left or the right.

    `signs` has at each place the signs of that value, `odd_values` what counts instead at the 1st, 3rd, ... place.
    With `letters` the remainder names the sign that must stand at `place`; else it must be one of `remainders`.
    """

    kind: Literal["weighted"]
    weights: tuple[int, ...]
    start: Literal["left", "right"] = "left"
    is_digit_sum: bool = False
    modulus: int = Field(ge=2)
    remainders: tuple[int, ...] = (0,)
    signs: tuple[str, ...] = tuple("0123456789")
    odd_values: tuple[int, ...] = ()
    replace: dict[str, str] = Field({})
    letters: str = ""
    place: int = -1
    lengths: tuple[int, ...] = Field(min_length=1)


class Verhoeff(Part):
    """Verhoeff's check digit over the dihedral group of order ten."""

    kind: Literal["verhoeff"]
    lengths: tuple[int, ...] = Field(min_length=1)
    products: tuple[str, ...] = Field(min_length=10, max_length=10)
    permutations: tuple[str, ...] = Field(min_length=8, max_length=8)


class Hybrid(Part):
    """ISO 7064 with two moduli, such as MOD 11,10."""

    kind: Literal["hybrid"]
    modulus: int = 11
    base: int = 10
    lengths: tuple[int, ...] = Field(min_length=1)


class Remainder97(Part):
    """ISO 7064 MOD 97-10 of an account number whose first four signs go last; letters count from ten."""

    kind: Literal["remainder_97"]
    lengths: tuple[int, ...] = Field(min_length=1)


Check = Annotated[Weighted | Verhoeff | Hybrid | Remainder97, Field(discriminator="kind")]


class CheckDigits(Definition):
    """Check digits by name."""

    checks: dict[str, Check]


class NameRules(Part):
    """When cells are names of people: shares of distinct cells, and how many there must be.

    A column of single words needs `single_share` of known names, of full names `full_share`. Few names that many rows
    share may be wards: a column needs `fewest_distinct` (or `fewest_full`) of them, or `distinct_share` of its cells,
    or as a share of its people. `other_words` are no names; `eponyms` are names that things are called by.
    """

    single_share: float = Field(gt=0, le=1)
    full_share: float = Field(gt=0, le=1)
    weak_share: float = Field(gt=0, le=1)
    doubtful_share: float = Field(gt=0, le=1)
    fewest_distinct: int = Field(ge=2)
    fewest_full: int = Field(ge=2)
    least_distinct: int = Field(ge=1)
    distinct_share: float = Field(gt=0, le=1)
    known_share: float = Field(gt=0, le=1)
    text_share: float = Field(gt=0, le=1)
    most_words: int = Field(ge=2)
    people_share: float = Field(gt=0, le=1)
    constant_share: float = Field(gt=0, le=1)
    pair_pattern: str
    titles: tuple[str, ...]
    particles: tuple[str, ...]
    eponyms: tuple[str, ...]
    other_words: tuple[str, ...]


class BirthRules(Part):
    """When dates without a telling header are dates of birth, in years over people."""

    spread_years: float = Field(gt=0)
    gap_years: float = Field(gt=0)
    quantiles: tuple[float, float]
    constant_share: float = Field(gt=0, le=1)
    fewest_people: int = Field(ge=2)
    date_share: float = Field(gt=0, le=1)
    last_year: int
    first_year: int
    last_shifted_year: int
    tried_cells: int = Field(ge=10)
    two_digits_until: int
    most_people: int = Field(ge=100)
    like_times: str


class AgeRules(Part):
    """Ages above `top` identify unless they are one top code; above `oldest` a number is a code and no age."""

    top: int
    oldest: int
    number_pattern: str
    unit_words: dict[str, tuple[str, ...]]
    units_a_year: dict[str, float]


class Scanning(Definition):
    """Thresholds and words of the scan; see `definitions/identifiers/scanning`."""

    rule: str
    sample_distinct: int = Field(ge=100)
    most_distinct: int = Field(ge=1000)
    most_candidates: int = Field(ge=1000)
    header_share: float = Field(gt=0, le=1)
    many_share: float = Field(gt=0, le=1)
    doubtful_share: float = Field(gt=0, le=1)
    most_chance: float = Field(gt=0, lt=1)
    fewest_shaped: int = Field(ge=1)
    mask_pattern: str
    flag_words: tuple[str, ...]
    never_words: tuple[str, ...]
    code_words: tuple[str, ...]
    canonical_dates: tuple[str, ...]
    canonical_keys: tuple[str, ...]
    plain_pattern: str
    birth_year_pattern: str
    prose_words: float = Field(gt=0)
    prose_distinct: int = Field(ge=1)
    code_distinct: int = Field(ge=1)
    code_share: float = Field(gt=0, le=1)
    code_pattern: str
    code_length: int = Field(ge=1)
    decimal_pattern: str
    left_of_text: str
    right_of_text: str
    names: NameRules
    births: BirthRules
    ages: AgeRules


class Identifiers(Part):
    """Everything the scan for identifiers knows; `names` has the columns name and kind (given, family, both)."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    classes: tuple[IdentifierClass, ...]
    scanning: Scanning
    checks: dict[str, Check]
    names: pl.DataFrame
    datetime_formats: tuple[str, ...]

    @property
    def oldest_age_years(self) -> int:
        """The age that stands for every age above the highest one that does not identify."""
        return self.scanning.ages.top + 1

    def can_generalise(self, name: str) -> bool:
        """Whether years or topped ages may be kept of a class."""
        return any(entry.id == name and entry.can_generalise for entry in self.classes)


class IdentifierExample(Part):
    """A column with its header, its cells and what it is mapped to, and the disposition that class `of` gets in it.

    `of` is the class whose example it is, if not written. With `none` nothing at all is found in the column.
    """

    of: str = ""
    header: str
    cells: tuple[str | int | float, ...]
    mapped: str = ""
    is_person: bool = False
    expect: Literal["found", "allowed", "unjudged", "none"]


class CheckExample(Part):
    """A number whose check digit holds, or does not."""

    check: str
    number: str
    is_valid: bool
