"""The report of a network: counts that hospitals have sent are added, and everything else follows from the sum.

Nothing is read but the files of counts, so the order and the grouping of hospitals change no number and no byte of the
sum, which can be sent on and merged again. People who are in two hospitals are counted twice, as no count can tell.
"""

import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import polars as pl

from flows.code_version import code_version
from flows.counts_file import SentCounts, Site, read_counts, write_counts
from flows.earlier_night import find_earlier
from flows.errors import SourceError, WrongUse, guard_values
from flows.facts import ENGINES
from flows.handover import Published
from flows.pages import write_pages
from flows.placing import place_night
from flows.ranging import write_ranges
from flows.sent_reports import is_report, read_report
from flows.settings import Settings
from flows.shown_merges import keep_shown, read_shown
from flows.site import read_summaries
from flows.stages.release import order_of, rule_of
from flows.workspace import COUNTS, Workspace, make_private
from reports.facts import AnswerFact, InputFact, NightFacts, Verdict
from transforms.counting import add_counts
from transforms.estimates import estimate_counts
from transforms.load import Definitions, load_definitions
from transforms.parties import find_withheld
from transforms.plan import plan_of
from transforms.release import Released, release, show_counts
from transforms.renewal import Earlier
from transforms.zeros import with_zeros, without_zeros


@dataclass(frozen=True)
class Network:
    """Hospitals whose counts can be added, and the numbers of all of them together that may be shown."""

    sent: tuple[SentCounts, ...]
    released: Released

    @property
    def sites(self) -> tuple[Site, ...]:
        """Every hospital, in a fixed order."""
        return tuple(sorted((site for one in self.sent for site in one.sites), key=lambda site: site.workspace))


def merge_counts(paths: Sequence[Path], settings: Settings, out: Path, *, is_pooled: bool = False) -> Published:
    """Add the counts of `paths`, and write their sum and its report below `out`.

    Where one of them is a report instead, totals are ranges, and there is a page of them alone. SourceError when a file
    cannot be added to the others, DefinitionError when it was counted by other definitions. What a hospital's own
    report beside that of the network would tell is hidden, unless the release `is_pooled`, as of one hospital.
    """
    workspace = Workspace(out.resolve())
    if workspace.warehouse.exists():
        raise WrongUse(
            f"{out} is the workspace of a hospital; the counts of a network would take the place of its own.",
            repair="Name another folder with --out.",
        )
    definitions = load_definitions(settings.definitions)
    with guard_values():
        ordered = sorted(paths, key=lambda path: (path.name, str(path)))
        reports = [read_report(path, definitions) for path in ordered if is_report(path)]
        sent = tuple(read_counts(path, definitions) for path in ordered if not is_report(path))
        _refuse_what_cannot_be_added(sent)
        earlier = read_shown(workspace, settings.channel)
        if not is_pooled:
            earlier = replace(earlier, withheld=_withhold(sent, definitions, settings.channel))
        if reports:
            counted = _release_counts(sent, definitions, settings.channel, earlier) if sent else None
            return write_ranges(reports, counted, earlier, definitions, out)
        started_at = datetime.now(UTC)
        run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        workspace.create()
        work = workspace.work(run_id)
        make_private(work)
        try:
            counts = add_up(sent, definitions, work / COUNTS, earlier.counts)
            network = _release(sent, counts, definitions, settings.channel, run_id, earlier)
            facts = _tell(network, workspace, definitions, run_id, started_at)
            numbers = write_pages(network.released, facts, definitions, work / "site")
            keep_shown(network.released, earlier, workspace, work)
            (work / COUNTS).replace(workspace.counts)
            report, catalogue = place_night(workspace, run_id)
        finally:
            shutil.rmtree(work.parent, ignore_errors=True)
    texts = {number.title: number.text for number in numbers}
    return Published(run_id, facts.verdict, report, catalogue, is_new=True, key_numbers=texts)


def _refuse_what_cannot_be_added(sent: Sequence[SentCounts]) -> None:
    known: dict[str, str] = {}
    for name, site in ((one.name, site) for one in sent for site in one.sites):
        if site.workspace in known:
            raise SourceError(
                f"{known[site.workspace]} and {name} hold the counts of the same hospital.",
                details=[f"hospital {site.workspace}: its people would be counted twice"],
                repair="Leave one of them out.",
            )
        known[site.workspace] = name
    dates = {name: {site.dates for site in one.sites} for one in sent for name in [one.name]}
    if len(set().union(*dates.values())) > 1:
        raise SourceError(
            "The dates of these hospitals do not mean the same, so their months cannot be added.",
            details=[f"{name}: {', '.join(sorted(kinds))}" for name, kinds in sorted(dates.items())],
            repair="Merge hospitals with the same `dates:` in their source maps, one report for each kind.",
        )


def _release_counts(sent: Sequence[SentCounts], definitions: Definitions, channel: str, earlier: Earlier) -> Released:
    """What the hospitals that sent counts show together."""
    with tempfile.TemporaryDirectory() as folder:
        counts = add_up(sent, definitions, Path(folder) / COUNTS)
    return _release(sent, counts, definitions, channel, "counts", earlier).released


def add_up(
    sent: Sequence[SentCounts], definitions: Definitions, path: Path, told: pl.DataFrame | None = None
) -> Mapping[str, pl.DataFrame]:
    """The counts of all hospitals together; `path` is the file of them, with what was `told` of the sum until now. It
    can be merged again.
    """
    names = sorted(sent[0].counts)
    counts = without_zeros({name: add_counts(name, [one.counts[name] for one in sent]) for name in names})
    write_counts(path, counts, [site for one in sent for site in one.sites], definitions, told)
    return counts


def _release(
    sent: Sequence[SentCounts],
    counts: Mapping[str, pl.DataFrame],
    definitions: Definitions,
    channel: str,
    run_id: str,
    earlier: Earlier,
) -> Network:
    dates = sent[0].sites[0].dates
    plan = plan_of(definitions, has_calendar=dates == "real", has_dates=dates != "none")
    estimates = estimate_counts(with_zeros(counts, plan), plan, run_id=run_id)
    rule, order = rule_of(definitions, channel), order_of(definitions)
    named = {"run_id": run_id, "definitions_hash": definitions.hash}
    return Network(tuple(sent), release(estimates, rule, order, earlier=earlier, **named))


def _withhold(sent: Sequence[SentCounts], definitions: Definitions, channel: str) -> pl.DataFrame | None:
    """What the report of a hospital would tell beside that of all, or beside another report of it alone."""
    if not sent or (len(sent) == 1 and sent[0].told.is_empty()):
        return None
    dates = sent[0].sites[0].dates
    plan = plan_of(definitions, has_calendar=dates == "real", has_dates=dates != "none")
    rule, order = rule_of(definitions, channel), order_of(definitions)
    parties = []
    for one in sent:
        estimates = estimate_counts(with_zeros(one.counts, plan), plan, run_id="")
        parties.append(show_counts(estimates, rule, order, Earlier(counts=one.told)))
    return find_withheld(parties, rule.min_cell)


def _tell(
    network: Network, workspace: Workspace, definitions: Definitions, run_id: str, started_at: datetime
) -> NightFacts:
    sites, channel = network.sites, network.released.channel
    nights = read_summaries(workspace)
    inputs = tuple(
        InputFact(one.name, one.bytes, one.n_rows, one.sha256, "counts", one.sites[0].workspace) for one in network.sent
    )
    previous = find_earlier(
        nights,
        sources=sorted(entry.source_id for entry in inputs),
        channel=channel,
        definitions_hash=definitions.hash,
    )
    verdict, why = _judge(sites, definitions)
    facts = NightFacts(
        run_id=run_id,
        result_id=_name_result(sites, definitions),
        started_at=started_at,
        verdict=verdict,
        verdict_why=why,
        channel=channel,
        dates=sites[0].dates,
        definitions_hash=definitions.hash,
        code_version=code_version(),
        data_from=min((site.data_from for site in sites if site.data_from), default=None),
        data_through=max((site.data_through for site in sites if site.data_through), default=None),
        inputs=inputs,
        answers=_answers(sites, definitions),
        n_earlier_runs=len(nights),
        versions={"python": python_version(), **{name: version(name) for name in ENGINES}},
    )
    if previous is None:
        return facts
    return replace(facts, previous_run_id=str(previous["run_id"]), previous_key_numbers=previous["key_values"])


def _judge(sites: Sequence[Site], definitions: Definitions) -> tuple[Verdict, str]:
    words = definitions.glossary["network"]
    warned = sum(site.verdict == "warn" for site in sites)
    reasons = [words["warned"].format(n=warned, of=len(sites))] if warned else []
    if {site.code_version for site in sites} != {code_version()}:
        reasons.append(words["other_code"])
    return ("warn" if reasons else "go"), " ".join(reasons) or words["go"].format(of=len(sites))


def _answers(sites: Sequence[Site], definitions: Definitions) -> tuple[AnswerFact, ...]:
    """A question is answered as far as all hospitals answer it; reasons that differ are told one after the other."""
    words = definitions.glossary["network"]
    found = []
    for question in dict.fromkeys(answer.question for site in sites for answer in site.answers):
        given = [answer for site in sites for answer in site.answers if answer.question == question]
        statuses = {answer.status for answer in given}
        reasons = list(dict.fromkeys(answer.reason for answer in given))
        if len(statuses) == 1 and len(given) == len(sites):
            found.append(AnswerFact(question, given[0].status, " ".join(reasons)))
            continue
        n = sum(answer.status == "answerable" for answer in given)
        lacking = list(dict.fromkeys(answer.reason for answer in given if answer.status != "answerable"))
        reason = " ".join([words["partly"].format(n=n, of=len(sites)), *lacking])
        found.append(AnswerFact(question, "partly", reason))
    return tuple(found)


def _name_result(sites: Sequence[Site], definitions: Definitions) -> str:
    parts = [*(f"{site.workspace} {site.result_id}" for site in sites), definitions.hash, code_version()]
    return sha256("\n".join(parts).encode()).hexdigest()[:16]
