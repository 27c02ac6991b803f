"""One explained episode as text for a terminal: what it is, by which rule, what happened when, and who is suspected."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.explaining import Explained
from transforms.model.episodes import EpisodeRule

Row = Mapping[str, Any]
LEAST_WIDTH = 100
NONE = "-"
GIVEN = {
    "has_gcsf": "a growth factor was given",
    "has_steroid": "a steroid was taken",
    "has_lithium": "lithium was taken",
}


def write_timeline(explained: Explained, width: int | None = None) -> str:
    """Everything of `explained`, in the order in which a person would ask; as wide as the terminal if no `width`."""
    columns = width or max(LEAST_WIDTH, shutil.get_terminal_size().columns)
    console = Console(width=columns, no_color=True, highlight=False)
    with console.capture() as written:
        for line in _heading(explained.episode):
            console.print(line, markup=False)
        for line in _rule(explained):
            console.print(line, markup=False)
        console.print(_events(explained))
        console.print(_results(explained))
        console.print(_candidates(explained))
    return "\n".join(line.rstrip() for line in written.get().splitlines())


def _heading(episode: Row) -> Iterator[str]:
    yield f"Episode {episode['episode_id']}: person {episode['person_id']} of {episode['source_id']}"
    sure = "confirmed" if episode["is_confirmed"] else "an isolated low, not confirmed"
    start = "its start was seen" if episode["is_incident"] else "its start was not seen"
    gcsf = "".join(f"; {what}" for name, what in GIVEN.items() if episode[name])
    ending = episode["ended_as"].replace("_", " ").capitalize()
    yield f"{ending}; {sure}; {start}; bounds: {episode['certainty'].replace('_', ' ')}{gcsf}."
    onset = f"after {_time(episode['onset_after'])} and " if episode["onset_after"] else ""
    yield f"Onset {onset}by {_time(episode['first_low_at'])}."
    if episode["recovery_by"]:
        yield f"Recovery after {_time(episode['last_low_at'])} and by {_time(episode['recovery_by'])}."
    else:
        yield f"No recovery seen; low until {_time(episode['last_low_at'])} at least."
    yield (
        f"Duration {_days(episode['duration_lower_days'])} to {_days(episode['duration_upper_days'])} days "
        f"(between crossings: {_days(episode['duration_interpolated_days'])}); lowest value "
        f"{_count(episode['nadir_cells_per_ul'])} cells/µL at {_time(episode['nadir_at'])}."
    )
    yield from _grade(episode)


def _grade(episode: Row) -> Iterator[str]:
    """The infusion that an episode belongs to, and its grade; nothing under a rule without an anchor."""
    if episode["anchored_on"]:
        proven, possible = (episode[name] or "none" for name in ("grade", "grade_possible"))
        yield f"Anchored at {episode['anchored_on']}; grade proven: {proven}, possible: {possible}."


def _rule(explained: Explained) -> Iterator[str]:
    episode, rule = explained.episode, explained.rule
    yield ""
    threshold = _count(episode["threshold_cells_per_ul"])
    yield f"Rule {episode['rule']}, version {episode['rule_version']}, at {threshold} cells/µL"
    if rule is None:
        yield "  The definitions at hand have no rule of that name, so what each value proves can't be said."
        return
    if rule.version != episode["rule_version"]:
        yield f"  The definitions at hand have version {rule.version}: what follows is told by that one."
    yield f"  {rule.rule}"
    yield f"  {_parameters(rule)}"


def _parameters(rule: EpisodeRule) -> str:
    parts = {
        "takes": f"one value a {rule.takes}",
        "recovered by": f"{rule.recovered_values} values",
        "gap": f"{rule.gap_days} days" if rule.gap_days else "none",
        "join": f"{rule.join_days} days" if rule.join_days else "none",
        "look-back": f"{rule.look_back_days} days",
        "bounds count": "yes" if rule.uses_bounds else "no",
    }
    return "; ".join(f"{name}: {value}" for name, value in parts.items())


def _events(explained: Explained) -> Table:
    """Values, doses and diagnoses in one order of time; days count from the first low value."""
    table = _table("What happened", "when", "day", "what", "cells/µL", "proves", "note")
    origin = explained.episode["first_low_at"]
    events = [*_values(explained), *_doses(explained.exposures), *_codes(explained.diagnoses)]
    for at, cells in sorted(events, key=lambda event: (event[0], event[1])):
        table.add_row(_time(at), _day(at, origin), *cells)
    return table


def _values(explained: Explained) -> Iterator[tuple[datetime, tuple[str, ...]]]:
    episode = explained.episode
    marks = {
        episode["onset_after"]: "last value before",
        episode["last_low_at"]: "last low",
        episode["recovery_by"]: "recovered by",
    }
    for row in explained.values:
        at, notes = row["collected_at"], [row["route"].replace("_", " ")]
        if at == episode["first_low_at"]:
            notes.append("first low")
        notes += [marks[at]] if at in marks else []
        notes += ["lowest"] if at == episode["nadir_at"] else []
        notes += ["routes disagree"] if row["is_discordant"] else []
        notes += ["bands taken as none"] if row["bands_assumed_zero"] else []
        notes += _left_open(row)
        notes += ["red cells among the white ones"] if row["has_uncorrected_nrbc"] else []
        yield at, ("count", _bounded(row), row["state"], ", ".join(notes))


def _doses(exposures: Sequence[Row]) -> Iterator[tuple[datetime, tuple[str, ...]]]:
    for row in exposures:
        amount = f"{row['dose']:g} {row['dose_unit'] or ''}".strip() if row["dose"] is not None else ""
        until = f"until {_time(row['ended_at'])}" if row["ended_at"] and row["ended_at"] != row["started_at"] else ""
        listed = "not in the drug list" if row["drug"] is None else ""
        notes = [row["evidence"], amount, row["route"], until, row["status"], listed]
        yield row["started_at"], (row["drug"] or row["agent"], "", "", ", ".join(note for note in notes if note))


def _codes(diagnoses: Sequence[Row]) -> Iterator[tuple[datetime, tuple[str, ...]]]:
    for row in diagnoses:
        yield row["recorded_at"], (f"diagnosis {row['code']}", "", "", row["code_system"])


def _results(explained: Explained) -> Table:
    """What the laboratory reported, and every way from there to a count."""
    table = _table("What the counts were made of", "when", "specimen", "result", "as sent", "in our units", "from")
    chosen = {(row["collected_at"], row["specimen_id"]): row["route"] for row in explained.values}
    rows = [
        (
            row["collected_at"],
            row["specimen_id"],
            0,
            f"{row['analyte']} ({row['method']})",
            _sent(row),
            _result(row),
            _place(row),
        )
        for row in explained.inputs
    ]
    for row in explained.routes:
        is_chosen = chosen.get((row["collected_at"], row["specimen_id"])) == row["route"]
        name = f"-> by {row['route'].replace('_', ' ')}{' (taken)' if is_chosen else ''}"
        rows.append((row["collected_at"], row["specimen_id"], 1, name, "", f"{_bounded(row)} cells/µL", ""))
    for at, specimen, _, *cells in sorted(rows):
        table.add_row(_time(at), specimen, *cells)
    return table


def _candidates(explained: Explained) -> Table:
    headings = (
        "rank",
        "suspected cause",
        "drug or condition",
        "category",
        "days before",
        "stopped",
        "given again",
        "others",
    )
    table = _table("Who is suspected", *headings)
    words = [word for row in explained.causes for word in (row["agent"] or NONE).split()]
    table.columns[headings.index("drug or condition")].min_width = max(map(len, words), default=0)
    for row in explained.causes:
        rank = f"{row['rank']}{' (primary)' if row['is_primary'] else ''}"
        days = _days(row["days_from_exposure"])
        tried = (row["dechallenge"] or NONE, row["rechallenge"] or NONE)
        table.add_row(rank, row["title"], row["agent"] or NONE, row["category"], days, *tried, str(row["n_competing"]))
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", box=None, pad_edge=False, title_style="", header_style="")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _bounded(row: Row) -> str:
    if row["anc_cells_per_ul"] is not None:
        return _count(row["anc_cells_per_ul"])
    most = row["upper_cells_per_ul"]
    return (
        f"{_count(row['lower_cells_per_ul'])} or more"
        if most is None
        else f"{_count(row['lower_cells_per_ul'])} to {_count(most)}"
    )


def _left_open(row: Row) -> list[str]:
    """What a differential of few cells, or red cells among the white ones, leave possible of a count told as one."""
    least, most = row["possible_lower_cells_per_ul"], row["possible_upper_cells_per_ul"]
    if row["anc_cells_per_ul"] is None or least is None or most is None or least == most:
        return []
    return [f"may be {_count(least)} to {_count(most)}"]


def _sent(row: Row) -> str:
    return " ".join(text for text in (row["source_value"], row["source_unit"]) if text)


def _result(row: Row) -> str:
    number = row["value"] if row["value"] is not None else row["upper_bound"]
    shown = NONE if number is None else f"{number.normalize():,f}"
    return f"{row['comparator'] or ''}{shown} {_readable(row['unit'])}"


def _place(row: Row) -> str:
    return f"{row['source_code']}, row {row['row_number']} of {row['input_name']}"


def _time(at: datetime | None) -> str:
    return NONE if at is None else f"{at:%Y-%m-%d %H:%M}"


def _day(at: datetime, origin: datetime) -> str:
    return f"{(at - origin) / timedelta(days=1):+.1f}"


def _days(number: float | None) -> str:
    return NONE if number is None else f"{number:.1f}"


def _count(number: int | None) -> str:
    return NONE if number is None else f"{number:,}"


def _readable(unit: str) -> str:
    """A unit of ours as it is written for people."""
    return unit.replace("/uL", "/µL")
