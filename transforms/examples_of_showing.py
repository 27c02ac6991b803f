"""Runs the examples of what may be shown: words with the people who share them, names and headers."""

from transforms.example_results import ExampleResult, read_examples, tell, wrong_example
from transforms.load import Definitions
from transforms.model.showing import Showing, ShowingExample
from transforms.showable import is_plain_header, is_plain_name, is_shared_word

KIND = "showing"


def check_showing(definitions: Definitions) -> list[ExampleResult]:
    """Every example of `definitions/showing`, in a fixed order."""
    showing = definitions.showing
    return [
        _check(example, number, showing) for number, example in enumerate(read_examples(ShowingExample, KIND, showing))
    ]


def _check(example: ShowingExample, number: int, showing: Showing) -> ExampleResult:
    if example.word is not None:
        text, got = example.word, is_shared_word(example.word, example.n_people, showing)
    elif example.name is not None:
        text, got = example.name, is_plain_name(example.name, showing)
    elif example.header is not None:
        text, got = example.header, is_plain_header(example.header, showing)
    else:
        details = ["it names no text"]
        raise wrong_example(KIND, showing, number, details, "Keys: word with n_people, or name, or header.")
    return ExampleResult(KIND, showing.id, repr(text), tell({"is_shown": example.is_shown}), tell({"is_shown": got}))
