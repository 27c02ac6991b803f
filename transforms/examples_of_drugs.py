"""Runs the examples of what is counted after a drug: events and weeks on two sides, and their ratio with its limits."""

from collections.abc import Iterable

import numpy as np

from transforms.example_results import ExampleResult, read_examples, tell
from transforms.load import Definitions
from transforms.model.drugs import RatioExample
from transforms.rate_ratios import rate_ratio


def check_after_drugs(definitions: Definitions) -> Iterable[ExampleResult]:
    """Every example of `definitions/after_drugs`, in its order."""
    rules = definitions.drugs
    for example in read_examples(RatioExample, "after_drugs", rules):
        sides = (example.inside, example.inside_weeks, example.outside, example.outside_weeks)
        numbers = (np.array([number], dtype=np.int64) for number in sides)
        found = [float(limit[0]) for limit in rate_ratio(*numbers, level=rules.ratio.confidence_level)]
        words = "{} in {} weeks, {} in {} others".format(*sides)
        names = ("ratio", "lo", "hi")
        expected = tell({name: getattr(example, name) for name in names})
        yield ExampleResult("after_drugs", rules.id, words, expected, tell(dict(zip(names, found, strict=True))))
