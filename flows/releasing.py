"""Rows that were refused are judged again under the present definitions and the source map that is given now.

What passes goes through the night as the rows of an extract do; what still fails stays set aside. When nothing passes,
tonight brings nothing. Rows that a check or a conflict set aside are weighed and checked once more when definitions or
code have changed; nothing lets a row past a check.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flows.errors import SourceError, WrongUse
from flows.file_again import GIVE_AGAIN, Candidate, FileAgain
from flows.handover import Request, RunContext
from flows.reading import Night
from flows.refused import Reading, hash_map, judged_by, read_reading
from flows.set_aside import KnownInput, list_refusals, open_set_aside, read_inputs
from flows.sources.recognise import choose_map
from transforms.load import Definitions
from transforms.model.sources import SourceMap

# With another of these, rows that were accepted mean something else: then every row must be read again.
OF_EVERY_ROW = ("layout", "dates", "code_system", "relative_unit", "time_precision")


@dataclass(frozen=True)
class _Aside:
    """The files with rows that the request is about, how they were read, and whether all is judged by other rules now.

    `n_weighable` counts rows that a check or a conflict set aside: those are staged.
    """

    inputs: Mapping[str, KnownInput]
    readings: Mapping[str, Reading | None]
    n_weighable: Mapping[str, int]
    is_moved: bool


def find_candidates(request: Request, context: RunContext) -> list[Candidate]:
    """The files of which set-aside rows may be judged otherwise now; WrongUse when the given map is of none of them."""
    definitions = context.definitions
    given = choose_map((), request.source, definitions)
    aside = _read_aside(request.release or (), context)
    if given and not any(_is_of(given, known, aside.readings[key]) for key, known in aside.inputs.items()):
        raise _of_nothing(given, aside)
    found = (_candidate(aside, input_id, given, definitions) for input_id in aside.inputs)
    return [candidate for candidate in found if candidate]


def judge_again(night: Night) -> None:
    """Fill the night with the files of which a row passes now, or is to be checked again; else leave it empty."""
    rules = night.request.release or ()
    files = [FileAgain(night, candidate, rules) for candidate in find_candidates(night.request, night.context)]
    n_passed = sum(file.judge() for file in files)
    for file in files:
        if file.n_passed or (not n_passed and file.candidate.n_weighable):
            file.hand_in()
        else:
            file.leave()


def _read_aside(rules: Sequence[str], context: RunContext) -> _Aside:
    workspace, definitions = context.workspace, context.definitions
    with open_set_aside(workspace, context.settings.memory_limit) as connection:
        inputs = read_inputs(connection)
        found = connection.execute(
            "SELECT input_id, count(*) FILTER (rule NOT IN (SELECT unnest($1::VARCHAR[]))) FROM aside "
            "WHERE len($2::VARCHAR[]) = 0 OR list_contains($2::VARCHAR[], rule) GROUP BY input_id ORDER BY input_id",
            [list_refusals(definitions.receiving), list(rules)],
        ).fetchall()
        last = connection.execute(
            "SELECT max_by(definitions_hash || ' ' || code_version, (started_at, run_id)) FROM ops.run "
            "WHERE state IN ('released', 'published')"
        ).fetchall()
    readings = {input_id: read_reading(workspace.staged(input_id)) for input_id, _ in found}
    is_moved = last[0][0] != judged_by(definitions)
    return _Aside({key: inputs[key] for key, _ in found}, readings, dict(found), is_moved)


def _candidate(aside: _Aside, input_id: str, given: SourceMap | None, definitions: Definitions) -> Candidate | None:
    known, reading = aside.inputs[input_id], aside.readings[input_id]
    n_weighable = aside.n_weighable[input_id] if aside.is_moved else 0
    if reading is None:
        return Candidate(known, None, None, n_weighable) if n_weighable else None
    source_map = given if given and _is_of(given, known, reading) else _present(reading, definitions)
    _refuse_other_meaning(reading, source_map)
    is_other = reading.judged_by != judged_by(definitions) or hash_map(source_map) != hash_map(reading.source_map)
    return Candidate(known, reading, source_map, n_weighable) if is_other or n_weighable else None


def _present(reading: Reading, definitions: Definitions) -> SourceMap:
    """The map that the file was read with; a shipped one as it is shipped now."""
    shipped = {entry.id: entry for entry in definitions.source_maps}
    return shipped.get(reading.source_map.id, reading.source_map) if reading.is_shipped else reading.source_map


def _is_of(given: SourceMap, known: KnownInput, reading: Reading | None) -> bool:
    """Whether the map repairs the one that the file was read with: same source, and same id unless that was shipped."""
    source_id = given.source_id or given.layout or "local"
    if reading is None or source_id != known.received.source_id:
        return False
    return reading.is_shipped or given.id == reading.source_map.id


def _of_nothing(given: SourceMap, aside: _Aside) -> WrongUse:
    known = {
        f"source_id {aside.inputs[key].received.source_id}, read with the map {reading.source_map.id}"
        for key, reading in aside.readings.items()
        if reading
    }
    return WrongUse(
        f"The source map {given.id} is of no file whose refused rows were kept.",
        details=sorted(known) or ["nothing that was refused has been kept"],
        repair="Give the map that the file was read with, repaired: same id, same source_id.",
    )


def _refuse_other_meaning(reading: Reading, source_map: SourceMap) -> None:
    moved = [name for name in OF_EVERY_ROW if getattr(source_map, name) != getattr(reading.source_map, name)]
    if moved:
        raise SourceError(
            f"The source map {source_map.id} gives rows another meaning that were accepted already.",
            details=[f"{name}: {getattr(reading.source_map, name)} -> {getattr(source_map, name)}" for name in moved],
            repair=GIVE_AGAIN,
        )
