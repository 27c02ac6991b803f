"""Release: estimates become numbers that may be shown, by the disclosure rule of the channel."""

import polars as pl

from flows.handover import Estimated, ReleasedNight, RunContext
from flows.shown_before import read_earlier
from transforms.cohort_order import CohortOrder, order_cohorts
from transforms.drug_cohorts import with_drugs
from transforms.errors import DefinitionError
from transforms.load import Definitions
from transforms.model.disclosure import DisclosureRule
from transforms.release import release as release_estimates


def release(estimated: Estimated, context: RunContext) -> ReleasedNight:
    """Hide what must be hidden, and hold back what has moved by a few since an earlier report.

    Raises DisclosureStop when a small count could be read from the result.
    """
    estimates = {name: pl.read_parquet(path) for name, path in estimated.tables.items() if name.startswith("estimate.")}
    context.progress.rows(sum(rows.height for rows in estimates.values()))
    rule = rule_of(context.definitions, context.settings.channel)
    definitions = context.definitions
    released = release_estimates(
        estimates,
        rule,
        order_of(definitions),
        run_id=context.run_id,
        definitions_hash=definitions.hash,
        earlier=read_earlier(context),
    )
    return ReleasedNight(estimated, released)


def order_of(definitions: Definitions) -> CohortOrder:
    """What a reader of the methods knows of the cohorts and of the drugs that let people into them."""
    cohorts = definitions.cohorts
    return with_drugs(order_cohorts(cohorts), cohorts, definitions.codes("drugs"), definitions.drugs.other_use)


def rule_of(definitions: Definitions, channel: str) -> DisclosureRule:
    """The one disclosure rule of a channel."""
    found = [rule for rule in definitions.disclosure if rule.channel == channel]
    if len(found) != 1:
        raise DefinitionError(
            f"definitions/disclosure must hold exactly one rule for the channel {channel!r}.",
            details=[f"{rule.id}: {rule.channel}" for rule in definitions.disclosure],
            repair="Give one file this channel.",
        )
    return found[0]
