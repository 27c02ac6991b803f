"""Runs the examples of the proposer: names of tests as they are read, and medians with the one unit that fits them."""

from transforms.analyte_names import NameReader
from transforms.example_results import ExampleResult, read_examples, tell, wrong_example
from transforms.load import Definitions
from transforms.model.mapping import ProposingExample
from transforms.unit_proposals import Distribution, fit_unit

KIND = "mapping"


def check_mapping(definitions: Definitions) -> list[ExampleResult]:
    """Every example of `definitions/mapping`, in a fixed order."""
    proposing = definitions.proposing
    reader = NameReader(proposing, definitions.units)
    results = []
    for number, example in enumerate(read_examples(ProposingExample, KIND, proposing)):
        if example.name:
            results.append(_check_name(example, reader))
        elif example.family in proposing.families and example.median is not None:
            results.append(_check_median(example, definitions))
        else:
            details = ["it names neither a test nor the median of a family"]
            raise wrong_example(KIND, proposing, number, details, f"Families: {', '.join(proposing.families)}.")
    return results


def _check_name(example: ProposingExample, reader: NameReader) -> ExampleResult:
    reading = reader.read(example.name)
    optional = [name for name in ("quantity", "method", "unit") if getattr(example, name) is not None]
    names = ["is_excluded", "is_unsure", *([] if example.is_unsure else ["family"]), *optional]
    expected, got = (tell({name: getattr(one, name) for name in names}) for one in (example, reading))
    return ExampleResult(KIND, reader.proposing.id, example.name, expected, got)


def _check_median(example: ProposingExample, definitions: Definitions) -> ExampleResult:
    proposing = definitions.proposing
    seen = Distribution(proposing.fewest_values, proposing.fewest_people, example.low, example.median, example.high)
    fitted = fit_unit(proposing.families[example.family or ""], example.quantity, seen, proposing)
    told = tell({"family": example.family, "quantity": example.quantity, "median": example.median})
    expected, got = tell({"unit": example.proposed}), tell({"unit": fitted[0] if fitted else None})
    return ExampleResult(KIND, proposing.id, told, expected, got)
