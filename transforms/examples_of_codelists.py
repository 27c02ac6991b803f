"""Runs the examples of exposure rules, of regimens and of the lists of drugs, conditions and units.

A name with the drugs it is, a code with its group, a spelling with its factor or the rule that refuses it, and the
drugs of a cycle with its regimen.
"""

from collections.abc import Iterable, Sequence

import polars as pl

from transforms.codelists import read_conditions, read_drugs
from transforms.diagnoses import match_codes
from transforms.example_results import ExampleResult, read_examples, tell, tell_list
from transforms.exposures import KEY, match_exposures
from transforms.load import Definitions
from transforms.model.base import Definition
from transforms.model.examples import CodeExample, NameExample, RegimenExample
from transforms.model.source_examples import UnitExample
from transforms.model.sources import Codelist
from transforms.regimens import label_cycles

KIND = "codelists"


def check_codelists(definitions: Definitions) -> list[ExampleResult]:
    """Every example of exposure rules, drugs, conditions and units, in a fixed order."""
    return [
        *_check_names(definitions, "exposures", [definitions.exposures]),
        *_check_cycles(definitions),
        *_check_names(definitions, KIND, _lists_of(definitions, "drugs")),
        *_check_codes(definitions, _lists_of(definitions, "conditions")),
        *_check_units(definitions),
    ]


def _lists_of(definitions: Definitions, content: str) -> list[Codelist]:
    """The code lists of one content: those whose id is it or begins with it, as `drugs` and `drugs_local`."""
    return [entry for name, entry in sorted(definitions.codelists.items()) if name.split("_")[0] == content]


def _check_names(definitions: Definitions, kind: str, entries: Sequence[Definition]) -> Iterable[ExampleResult]:
    drugs = read_drugs(definitions)
    for entry in entries:
        examples = read_examples(NameExample, kind, entry)
        keys = [{name: getattr(example, name) for name in KEY} for example in examples]
        sent = pl.LazyFrame(keys, schema=dict.fromkeys(KEY, pl.String))
        found = match_exposures(sent.unique(), drugs, definitions.exposures).sort(*KEY, "drug").collect()
        for key, example in zip(keys, examples, strict=True):
            got = found.filter([pl.col(name) == value for name, value in key.items()])["drug"].to_list()
            words = " ".join(value for value in key.values() if value)
            yield ExampleResult(kind, entry.id, words, tell_list(sorted(example.expect)), tell_list(got))


def _check_cycles(definitions: Definitions) -> Iterable[ExampleResult]:
    regimens = definitions.regimens
    examples = read_examples(RegimenExample, "regimens", regimens)
    rows = [(place, drug, days) for place, one in enumerate(examples) for drug, days in one.given.items()]
    given = pl.LazyFrame(rows, schema={"cycle": pl.Int64, "drug": pl.String, "n_days": pl.Int64}, orient="row")
    listed = read_drugs(definitions).lazy().select("drug", "is_cytotoxic")
    found = dict(label_cycles(given.join(listed, on="drug"), regimens, ["cycle"]).drop("agents").collect().iter_rows())
    for place, one in enumerate(examples):
        words = tell_list(f"{drug} on {days}" for drug, days in one.given.items())
        yield ExampleResult("regimens", regimens.id, words, one.expect, found.get(place, tell_list([])))


def _check_codes(definitions: Definitions, entries: Sequence[Definition]) -> Iterable[ExampleResult]:
    conditions = read_conditions(definitions)
    for entry in entries:
        examples = read_examples(CodeExample, KIND, entry)
        codes = pl.LazyFrame(
            [(example.code, example.code_system) for example in examples],
            schema={"code": pl.String, "code_system": pl.String},
            orient="row",
        )
        found = match_codes(codes.unique(), conditions).collect()
        groups = {(row["code"], row["code_system"]): row["cause_group"] for row in found.iter_rows(named=True)}
        for example in examples:
            key = (example.code, example.code_system)
            yield ExampleResult(KIND, entry.id, " ".join(key), str(example.expect), str(groups.get(key)))


def _check_units(definitions: Definitions) -> Iterable[ExampleResult]:
    units, entry = definitions.units, definitions.codelists["units"]
    for example in read_examples(UnitExample, KIND, entry):
        decision = units.decide(example.quantity, example.unit)
        facts = [{"factor": one.factor, "rule": one.rule} for one in (example, decision)]
        words = f"{example.quantity} in {example.unit or 'no unit'}"
        yield ExampleResult(KIND, entry.id, words, *(tell(each) for each in facts))
