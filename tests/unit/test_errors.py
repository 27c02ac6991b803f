"""What an error says is for a terminal to show, and comes whole out of another process."""

import pickle

from transforms.errors import DefinitionError, UserError


def test_signs_that_a_terminal_would_obey_are_spelled_out_and_others_are_not() -> None:
    said = str(UserError("The file \x1b[31mred\x07.csv", details=["Größe: 5\nzweite Zeile"], repair="Rename\tit."))
    assert said == "The file \\x1b[31mred\\x07.csv\n  - Größe: 5\nzweite Zeile\n  Rename\\tit."


def test_an_error_of_another_process_has_its_kind_its_details_and_its_repair() -> None:
    passed = pickle.loads(pickle.dumps(DefinitionError("Wrong.", details=["line 3"], repair="Mend it.")))  # noqa: S301
    assert (type(passed), passed.exit_code) == (DefinitionError, 10)
    assert str(passed) == "Wrong.\n  - line 3\n  Mend it."
