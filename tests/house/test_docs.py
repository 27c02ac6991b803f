"""What the documents say is there: commands, options, targets, files; and the glossary has the words, spelt one way."""

import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from flows.cli import app
from transforms.schemas import MARKS

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "GLOSSARY.md", "CHANGELOG.md", "NOTICE")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
ROWS = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", TEXTS["GLOSSARY.md"], re.MULTILINE)
WORDS = [word for word, _ in ROWS if word != "word" and not word.startswith("---")]
COMMANDS: Any = typer.main.get_command(app)
# Words one letter away from one of the glossary that are words of their own.
OF_THEIR_OWN = {"neutrophile", "weighed"}
ENDINGS = ("s", "es", "d", "ed", "r", "er", "ing", "al", "ly", "n", "y")


def _said() -> Iterator[tuple[str, list[str]]]:
    """Every command that a document names, with its words."""
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for code in re.findall(r"`(nadir [^`]+)`", TEXTS[name]) + re.findall(
            r"^(nadir .*)$", TEXTS[name], re.MULTILINE
        ):
            yield name, code.split()[1:]


@pytest.mark.parametrize(
    ("document", "said"), [*_said()], ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else value
)
def test_a_command_and_its_options_that_a_document_names_exist(document: str, said: list[str]) -> None:
    command: Any = COMMANDS
    while said and hasattr(command, "commands"):
        name = said.pop(0)
        names = [one for one in name.split("|") if one]
        assert set(names) <= set(command.commands), f"{document}: nadir {name}"
        command = command.commands[names[0]]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    named = {word.partition("=")[0].strip(".,;)") for word in said if word.startswith("--")}
    assert named <= options | {"--help"}, f"{document}: {command.name}"


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_a_target_of_make_that_a_document_names_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", TEXTS[document])) <= targets


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_a_file_that_a_document_names_exists(document: str) -> None:
    named = re.findall(r"`((?:transforms|flows|expectations|reports|tests|\.ci)/[\w./-]+)`", TEXTS[document])
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_glossary_has_each_word_once_in_order() -> None:
    assert sorted(WORDS, key=str.casefold) == WORDS
    assert len({word.casefold() for word in WORDS}) == len(WORDS)


def test_the_glossary_has_the_words_of_the_report_and_the_marks_of_the_tables() -> None:
    report = yaml.safe_load((ROOT / "transforms" / "definitions" / "glossary.yaml").read_text(encoding="utf-8"))
    known = " ".join(WORDS).casefold()
    said = [term for term, _ in report["terms"]] + [mark.replace("_", " ") for mark in MARKS]
    assert [word for word in said if word.casefold() not in known] == []


def test_a_word_of_the_glossary_is_spelt_one_way_everywhere() -> None:
    words = {part.casefold() for word in WORDS for part in re.findall(r"[A-Za-z]{7,}", word)}
    near = {other: word for word in words for other in _near(word)}
    found = {
        f"{where}: {token} for {near[token]}"
        for where, text in _prose()
        for token in set(re.findall(r"[a-z]{6,}", text.casefold()))
        if token in near and token not in words and token not in OF_THEIR_OWN and not _is_a_form(token, words)
    }
    assert found == set()


def _prose() -> Iterator[tuple[str, str]]:
    yield from TEXTS.items()
    for pattern in ("reports/templates/*.j2", "transforms/definitions/**/*.yaml", "expectations/suites/**/*.yaml"):
        for path in sorted(ROOT.glob(pattern)):
            if path.parent.name != "mapping":  # names of tests in many languages
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def _near(word: str) -> Iterator[str]:
    """A letter too few, one too many, or two that changed places; another letter makes too many words of their own."""
    for place in range(len(word) + 1):
        before, after = word[:place], word[place:]
        yield before + after[1:]
        for letter in string.ascii_lowercase:
            yield before + letter + after
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]


def _is_a_form(token: str, words: set[str]) -> bool:
    """A plural, a past, an adverb of a word of the glossary, or the word without such an ending."""
    stems = {token.removesuffix(ending) for ending in ENDINGS} | {token}
    return any(word.removesuffix(ending) in stems for word in words for ending in ("", *ENDINGS))
