"""The first words of the page: one sentence that answers, how fresh the data are, and what cannot be answered."""

from reports.content import WHOLE, say_change
from reports.facts import AnswerFact, NightFacts
from reports.numbers import Numbers, headline_interval, month_name, prevalence_row, weighted_row, when
from reports.rows import Row, is_number
from reports.wording import count, plain

POLICIES = {
    "real": "no record with a date",
    "shifted": "dates shifted for each person",
    "relative": "times relative to an anchor of each person",
    "none": "no dates",
}


def answer_sentence(numbers: Numbers, facts: NightFacts) -> str:
    """Who was neutropenic of how many tested, with the interval, and how many gravely."""
    if not numbers.has_anc:
        reason = next((answer.reason for answer in facts.answers if answer.question == "anc"), "")
        return plain(reason) or "ANC not computable from this extract."
    interval = headline_interval(numbers, facts)
    row = prevalence_row(numbers, numbers.thresholds[0], interval)
    if row is None or row["n_population"] == 0:
        return f"Nobody was tested {when(interval)}."
    weighted = None if interval else weighted_row(numbers, numbers.thresholds[0])
    first = _first_clause(numbers, row, when(interval), weighted)
    first += "" if weighted else _change(numbers, row, interval, facts)
    grave = prevalence_row(numbers, numbers.thresholds[-1], interval)
    if not is_number(row["n_low"]) or row["n_low"] == 0 or len(numbers.thresholds) == 1:
        return f"{first}."
    return f"{first}; {_grave_clause(numbers, grave)}."


def freshness(facts: NightFacts) -> str:
    """How far the data reach, and how old they were when the night ran."""
    if facts.dates != "real" or facts.data_through is None:
        return f"The extract has {POLICIES[facts.dates]}, so how fresh it is can't be said."
    days = (facts.started_at.date() - facts.data_through).days
    since = f"from {facts.data_from.isoformat()} " if facts.data_from else ""
    age = f"{count(days)} day{'' if days == 1 else 's'} before this run" if days >= 0 else "later than this run"
    return f"Data {since}through {facts.data_through.isoformat()}, {age}."


def unanswered(facts: NightFacts) -> tuple[AnswerFact, ...]:
    """Questions that this extract does not answer, or only in part."""
    return tuple(answer for answer in facts.answers if answer.status != "answerable")


def comparison(facts: NightFacts) -> str:
    """With which run the changes compare, or why there is none."""
    if facts.previous_run_id:
        return f"Changes are on run {plain(facts.previous_run_id)}: same sources, same definitions, same channel."
    if not facts.n_earlier_runs:
        return "The first published run: there is none to compare with yet."
    return "No comparable run: no earlier one has the same sources, definitions and channel, so no change is shown."


def _first_clause(numbers: Numbers, row: Row, period: str, weighted: Row | None) -> str:
    words, n_low = numbers.wording, row["n_low"]
    size = words.number(row["n_population"], "count")
    people = f"{size} people tested {period}" if is_number(row["n_population"]) else f"the people tested {period}"
    sign = words.held_sign(row)
    if n_low == 0:
        return f"None of {people} was neutropenic{sign}"
    if not is_number(n_low):
        return _unshown(row, f"{period}{sign}", size, words.mark(str(n_low)))
    if weighted is not None and is_number(weighted["prevalence"]):
        row, lead = weighted, "; weighted to the population of the survey: "
    else:
        lead = ", "
    share = f"{lead}{words.number(row['prevalence'], 'percent')}" if is_number(row["prevalence"]) else ""
    spread = f" ({words.range(row['prevalence_lo'], row['prevalence_hi'])})" if is_number(row["prevalence_lo"]) else ""
    return f"{words.number(n_low, 'count')} of {people} were neutropenic{share}{spread if share else ''}{sign}"


def _unshown(row: Row, period: str, size: str, mark: str) -> str:
    """What is left to say where the number of the low is a word."""
    if is_number(row["n_population"]):
        return f"{size} people were tested {period}; how many were neutropenic is {mark}"
    if size == mark:
        return f"How many people were tested {period}, and how many were neutropenic, is {mark}"
    return f"How many people were tested {period} is {size}; how many were neutropenic is {mark}"


def _change(numbers: Numbers, row: Row, interval: str, facts: NightFacts) -> str:
    """How the share of the sentence moved; empty where either is not shown."""
    share = row["prevalence"]
    if row["n_low"] == 0 or not is_number(share):
        return ""
    period = month_name(interval) if interval else WHOLE
    words = say_change(f"low_{numbers.thresholds[0]}", float(share or 0), "percent", period, facts)
    return f", {words}" if words else ""


def _grave_clause(numbers: Numbers, row: Row | None) -> str:
    threshold = numbers.thresholds[-1]
    word = numbers.wording.threshold_word(threshold)
    grave = f"{word}ly so" if word else f"below {count(int(threshold))}"
    n_low = row["n_low"] if row else "not_estimable"
    if n_low == 0:
        return f"none {grave}"
    if not is_number(n_low):
        return f"how many {grave} is {numbers.wording.mark(str(n_low))}"
    return f"{count(float(n_low or 0))}{numbers.wording.held_sign(row)} {grave}"
