"""What is said of each column: found, allowed or unjudged by class, from its header, its map and what it looks like.

Obeys `definitions/identifiers`. A class that is named by the header and contradicted by the cells is unjudged, never
nothing, unless the cells are yes and no.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from transforms.identifier_headers import HeaderReader, Named
from transforms.identifier_looks import ColumnLook, DateLook
from transforms.identifiers import ColumnFinding, Disposition, Evidence
from transforms.model.identifiers import Identifiers

NAME, BIRTH, AGE, PERSON, EVENT, YEAR, KEY = (
    "name", "date_of_birth", "age_over_89", "person_key", "event_date", "birth_year", "record_key",
)  # fmt: skip
PHOTO, CODE, NATIONAL = "photograph", "other_unique_code", "national_id"
_KEY_PROOFS = {NAME, "email", "phone", NATIONAL}
_RANK = {"found": 0, "allowed": 1, "unjudged": 2}


@dataclass(frozen=True)
class _Said:
    identifier_class: str
    disposition: Disposition
    evidence: Evidence
    n_rows: int


@dataclass(frozen=True)
class Judge:
    """Judges columns one by one."""

    identifiers: Identifiers

    def judge(self, look: ColumnLook) -> tuple[ColumnFinding, ...]:
        """Findings of a column, one a class, in a fixed order; none of an empty one."""
        if not look.n_given or look.cells.mask_share == 1:
            return ()
        said: dict[str, _Said] = {}
        for one in self._say(look):
            before = said.get(one.identifier_class)
            if before is None or _RANK[one.disposition] < _RANK[before.disposition]:
                said[one.identifier_class] = one
        # What is found in the column as a whole leaves nothing else to say of it; one cell of a text does not.
        is_whole = any(one.disposition == "found" and one.evidence != "free_text" for one in said.values())
        return tuple(
            ColumnFinding(look.file, look.header, name, one.disposition, one.evidence, one.n_rows, look.n_given)
            for name, one in sorted(said.items())
            if one.disposition == "found" or not is_whole
        )

    def needs_people(self, look: ColumnLook) -> bool:
        """Whether names that many rows share must be counted by people."""
        rules = self.identifiers.scanning.names
        is_few = look.n_distinct < max(rules.fewest_distinct, rules.distinct_share * look.n_given)
        return is_few and look.cells.names.share >= rules.doubtful_share and not look.is_person

    def _say(self, look: ColumnLook) -> Iterator[_Said]:
        scanning = self.identifiers.scanning
        named = self._reader.read(look.header)
        is_telling = not look.mapped or (named is not None and named.identifier_class == BIRTH)
        if look.is_person or look.mapped == "person_id":
            yield from self._say_person(look, named)
            return
        yield from self._say_mapped(look)
        if named is not None and is_telling:
            yield from self._say_named(look, named)
        yield from self._say_shapes(look, named)
        if look.kind == "binary":
            yield _Said(PHOTO, "unjudged", "shape", look.n_given)
        is_explained = bool(look.mapped) or (named is not None and not named.is_weak)
        if not look.mapped or look.mapped not in scanning.canonical_dates:
            yield from self._say_dates(look, named)
        if not look.mapped:
            yield from self._say_names(look, named)
        if not is_explained:
            yield from self._say_unknown(look)

    @cached_property
    def _reader(self) -> HeaderReader:
        return HeaderReader(self.identifiers)

    def _say_person(self, look: ColumnLook, named: Named | None) -> Iterator[_Said]:
        for one in [*self._say_shapes(look, None), *self._say_names(look, None)]:
            if one.disposition == "found" and one.identifier_class in _KEY_PROOFS:
                yield one
        if named is not None and named.identifier_class in {NATIONAL, "email", "phone"} and self._fits(look):
            yield _Said(named.identifier_class, "found", "name", look.n_given)
        yield _Said(PERSON, "allowed", "name", look.n_given)

    def _say_mapped(self, look: ColumnLook) -> Iterator[_Said]:
        scanning = self.identifiers.scanning
        if look.mapped in scanning.canonical_dates:
            yield _Said(EVENT, "allowed", "name", look.n_given)
        elif look.mapped in scanning.canonical_keys:
            yield _Said(KEY, "allowed", "name", look.n_given)
        elif look.mapped == YEAR:
            if look.kind == "time" or look.date_share >= scanning.births.date_share:
                yield from self._say_birth(look)
            else:
                yield _Said(YEAR, "allowed", "name", look.n_given)
        elif look.mapped == "age_years":
            yield from self._say_age(look)

    def _say_named(self, look: ColumnLook, named: Named) -> Iterator[_Said]:
        scanning, name = self.identifiers.scanning, named.identifier_class
        if look.cells.flag_share + look.cells.mask_share >= 1 and name != AGE:
            return
        if name == AGE:
            yield from self._say_age(look)
        elif name == BIRTH or (name == YEAR and not self._fits(look)):
            yield from self._say_birth(look)
        elif name == NAME and named.is_weak:
            if look.cells.names.share >= scanning.names.weak_share:
                yield _Said(NAME, "found", "name", look.n_given)
            elif look.cells.words >= 1 and look.cells.code_share < scanning.doubtful_share:
                yield _Said(NAME, "unjudged", "name", look.n_given)
        elif name != EVENT or look.kind == "time" or look.date_share >= scanning.births.date_share:
            yield _Said(name, self._weigh_header(look, named), "name", look.n_given)

    def _weigh_header(self, look: ColumnLook, named: Named) -> Disposition:
        """What a header that names a class is worth, once the cells are looked at."""
        if named.identifier_class in {PERSON, KEY, YEAR, EVENT}:
            return "allowed"
        if self._fits(look) and not (named.is_weak and look.kind == "number"):
            return "found"
        return "allowed" if look.cells.kept > 0 else "unjudged"

    def _fits(self, look: ColumnLook) -> bool:
        return look.cells.fits >= self.identifiers.scanning.header_share

    def _say_birth(self, look: ColumnLook) -> Iterator[_Said]:
        kept = look.cells.kept
        is_first_days = look.date is not None and look.date.day_share == 0 and look.date.n_people > 1
        if (kept == 1 and look.n_distinct > 1) or is_first_days or look.cells.year_share == 1:
            yield _Said(YEAR, "allowed", "name", look.n_given)
        elif look.kind == "time" or look.date_share > 0 or look.cells.fits > 0:
            yield _Said(BIRTH, "found", "name", look.n_given)
        else:
            yield _Said(BIRTH, "unjudged", "name", look.n_given)

    def _say_age(self, look: ColumnLook) -> Iterator[_Said]:
        if look.age is not None and look.age.n_different > 1:
            yield _Said(AGE, "found", "name", look.age.n_rows)

    def _say_shapes(self, look: ColumnLook, named: Named | None) -> Iterator[_Said]:
        for hit in look.hits:
            if not hit.shape:
                n_rows = min(look.n_given, round(hit.n_rows * look.n_per_candidate))
                yield _Said(hit.identifier_class, "found", "shape" if hit.is_whole else "free_text", n_rows)
        if self._takes_many(look, named):
            yield from self._say_many(look)

    def _takes_many(self, look: ColumnLook, named: Named | None) -> bool:
        """Numbers alone say nothing where the map or the header says what they are."""
        if look.is_person or look.mapped == "person_id":
            return True
        is_key = named is not None and named.identifier_class in {KEY, EVENT, AGE, YEAR}
        is_code = self._reader.has_word(look.header, self.identifiers.scanning.code_words)
        return not (look.mapped or is_key or is_code)

    def _say_many(self, look: ColumnLook) -> Iterator[_Said]:
        """Forms that most cells must have; those without a check digit add up, as one column may mix them."""
        hits = [hit for hit in look.hits if hit.shape]
        plain: dict[str, int] = {}
        for hit in hits:
            if hit.chance == 1:
                plain[hit.identifier_class] = plain.get(hit.identifier_class, 0) + hit.n_distinct
            elif hit.chance**hit.n_distinct <= self.identifiers.scanning.most_chance:
                yield from self._weigh_share(look, hit.identifier_class, hit.n_distinct)
        for identifier_class, n_distinct in sorted(plain.items()):
            yield from self._weigh_share(look, identifier_class, n_distinct)

    def _weigh_share(self, look: ColumnLook, identifier_class: str, n_distinct: int) -> Iterator[_Said]:
        scanning, n_sampled = self.identifiers.scanning, look.cells.n_sampled
        if n_distinct < scanning.fewest_shaped or not n_sampled:
            return
        if n_distinct >= scanning.many_share * n_sampled:
            yield _Said(identifier_class, "found", "statistics", look.n_given)
        elif n_distinct >= scanning.doubtful_share * n_sampled:
            yield _Said(identifier_class, "unjudged", "statistics", look.n_given)

    def _say_dates(self, look: ColumnLook, named: Named | None) -> Iterator[_Said]:
        births = self.identifiers.scanning.births
        if look.kind != "time" and look.date_share < births.date_share:
            return
        if named is not None and named.identifier_class in {EVENT, BIRTH, YEAR}:
            return
        verdict = self._weigh_births(look.date)
        if verdict == "found":
            yield _Said(BIRTH, "found", "statistics", look.n_given)
        elif verdict == "unjudged":
            yield _Said(BIRTH, "unjudged", "statistics", look.n_given)
        else:
            yield _Said(EVENT, "allowed", "statistics", look.n_given)

    def _weigh_births(self, date: DateLook | None) -> Disposition:
        births = self.identifiers.scanning.births
        if date is None or date.first_year is None or date.last_year is None:
            return "allowed"
        is_constant = date.n_people > 0 and date.n_constant >= births.constant_share * date.n_people
        spread = date.last_year - date.first_year
        if not is_constant or spread < births.spread_years or date.day_share == 0:
            return "allowed"
        if date.n_people < births.fewest_people:
            return "unjudged"
        if date.first_gap is not None and date.last_gap is not None:
            is_before = date.first_gap >= -1 and date.last_gap - date.first_gap >= births.gap_years
            return "found" if is_before else "allowed"
        return "found" if date.last_year <= births.last_year else "unjudged"

    def _say_names(self, look: ColumnLook, named: Named | None) -> Iterator[_Said]:
        rules, names = self.identifiers.scanning.names, look.cells.names
        if self._reader.is_taken_back(look.header, NAME) or (named is not None and named.identifier_class != NAME):
            return
        is_few = names.n_full + names.n_single < rules.least_distinct
        if not is_few and names.full_share >= rules.full_share:
            yield from self._say_many_names(look, rules.fewest_full)
        elif not is_few and names.share >= rules.single_share:
            yield from self._say_many_names(look, rules.fewest_distinct)
        elif not is_few and names.share >= rules.doubtful_share:
            yield _Said(NAME, "unjudged", "statistics", look.n_given)
        elif names.n_in_text > 0 and look.cells.words >= self.identifiers.scanning.prose_words:
            is_sure = names.n_in_text > 1 and names.n_in_text >= rules.text_share * names.n_cells
            yield _Said(NAME, "found" if is_sure else "unjudged", "free_text", names.n_in_text)

    def _say_many_names(self, look: ColumnLook, fewest: int) -> Iterator[_Said]:
        rules = self.identifiers.scanning.names
        is_rich = look.n_distinct >= min(fewest, max(rules.least_distinct, rules.distinct_share * look.n_given))
        shared = look.shared
        if not is_rich and shared is not None and shared.n_cells >= rules.least_distinct:
            is_own = shared.n_people >= rules.constant_share * shared.n_pairs
            is_rich = is_own and shared.n_cells >= rules.people_share * shared.n_people
        yield _Said(NAME, "found" if is_rich else "unjudged", "statistics", look.n_given)

    def _say_unknown(self, look: ColumnLook) -> Iterator[_Said]:
        scanning = self.identifiers.scanning
        if look.kind in {"time", "binary"} or look.date_share >= scanning.births.date_share:
            return
        is_thing = self._reader.is_taken_back(look.header, NAME)
        is_prose = look.cells.words >= scanning.prose_words and look.n_distinct >= scanning.prose_distinct
        if is_prose and not is_thing and look.cells.code_share < scanning.doubtful_share:
            yield _Said(NAME, "unjudged", "free_text", look.n_given)
        is_rich = look.n_distinct >= max(scanning.code_distinct, scanning.code_share * look.n_given)
        if self._reader.has_word(look.header, scanning.code_words) or is_thing:
            return
        if look.cells.code_share >= scanning.many_share and is_rich:
            yield _Said(CODE, "unjudged", "statistics", look.n_given)
