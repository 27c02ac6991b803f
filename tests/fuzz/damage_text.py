"""Damage to delimited text: headers, cells, quotes, delimiters, line ends and encodings."""

import csv
import io
from collections.abc import Callable, Mapping
from random import Random

from tests.fuzz.damage_bytes import Damage, inside

csv.field_size_limit(1 << 30)
Table = list[list[str]]
HARD_CELLS = (
    *("", " ", "NULL", "NaN", "nan", "inf", "-inf", "-0", "0", "1e308", "1e-400", "1e999", "1" * 40, "9" * 400),
    *(
        "-" + "9" * 30,
        "0x1F",
        "1_000",
        "1,5",
        "1.5.5",
        "<",
        ">",
        "<>0.1",
        "<=-5",
        "≤0,1",
        "< 1e400",
        "\uff11\uff12",
        "½",
        "³",
    ),
    *("0000-00-00", "99999-01-01", "-0001-01-01", "0000-01-01 00:00", "2024-02-30", "2024-03-01T25:61:61", "infinity"),
    *(
        "-infinity",
        "epoch",
        "today",
        "now",
        "2024-03-01 08:00:00+99:99",
        "292278994-08-17",
        "20240301",
        "45000",
        "1e10",
    ),
    *("294247-01-10 04:00:54.775807", "290309-12-22 (BC) 00:00:00", "1582-10-10", "-2147483648", "9223372036854775807"),
    *("=1+1", "'; DROP TABLE lab; --", "{labs}", "{0}", "%s", "\\", "\\N", "\u2028", "\u202e", "\u200b", "\ufeff"),
    *("😀" * 50, "a\u0301" * 40, "x" * 5000, "\t", "\x1b[31m", "\x7f", "751-8|", "|", "10*9/L|K/uL", "||||"),
    *('"', '""', "a\nb", "a\r\nb", "'", "NA", "#N/A", "None", "true", "[]", "{}", "..", "../../etc/passwd"),
)
HARD_HEADERS = (
    *("", " ", "row_number", "file_row_number", "column_number", "value__bad", "collected_at__bad", "collected_at__at"),
    *("person_id", "PERSON_ID", "Person Id", "cell", "f", "rule", "is_wanted", "filename", "rowid", "x" * 10_000),
    *('a"b', "a'b", "a;b", "{labs}", "%s", "é", "😀", "\u202e", "select", "a\nb", "__index_level_0__", "1", "-1"),
)


def _table(change: Callable[[Table, Random], None]) -> Damage:
    """Change the cells and write them again as they were written."""

    def damage(content: bytes, rng: Random) -> bytes:
        encoding = _encoding(content)
        words = content.decode(encoding, "replace")
        mark = max(",;|\t", key=words.split("\n", 1)[0].count)
        rows = list(csv.reader(io.StringIO(words, newline=""), delimiter=mark))
        if not rows:
            return content
        change(rows, rng)
        written = io.StringIO()
        csv.writer(written, delimiter=mark, lineterminator="\n").writerows(rows)
        return written.getvalue().encode(encoding, "replace")

    return inside(damage)


def _encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "utf-8"


def _hard_cells(rows: Table, rng: Random) -> None:
    for _ in range(rng.choice((1, 1, 3, 12))):
        row = rng.choice(rows[1:] or rows)
        if row:
            row[rng.randrange(len(row))] = rng.choice(HARD_CELLS)


def _hard_column(rows: Table, rng: Random) -> None:
    place, cell = rng.randrange(max(1, len(rows[0]))), rng.choice(HARD_CELLS)
    for row in rows[1:]:
        row[place : place + 1] = [cell]


def _hard_headers(rows: Table, rng: Random) -> None:
    for _ in range(rng.choice((1, 1, 2))):
        if rng.random() < 0.5:
            rows[0][rng.randrange(max(1, len(rows[0]))) :][:1] = [rng.choice(HARD_HEADERS)]
            rows[0][rng.randrange(len(rows[0]))] = rng.choice(HARD_HEADERS)
        else:
            header = rng.choice(HARD_HEADERS)
            for number, row in enumerate(rows):
                row.append(header if number == 0 else rng.choice(HARD_CELLS))


def _double_header(rows: Table, rng: Random) -> None:
    place = rng.randrange(max(1, len(rows[0])))
    for row in rows:
        row[place:place] = row[place : place + 1]


def _swap_columns(rows: Table, rng: Random) -> None:
    one, two = (rng.randrange(max(1, len(rows[0]))) for _ in range(2))
    for row in rows[rng.choice((0, 1)) :]:
        if len(row) > max(one, two):
            row[one], row[two] = row[two], row[one]


def _lose_column(rows: Table, rng: Random) -> None:
    place = rng.randrange(max(1, len(rows[0])))
    for row in rows:
        del row[place : place + 1]


def _lose_cells(rows: Table, rng: Random) -> None:
    row = rng.choice(rows)
    del row[rng.randrange(len(row) + 1) :]


def _add_cells(rows: Table, rng: Random) -> None:
    rng.choice(rows).extend(rng.choices(HARD_CELLS, k=rng.choice((1, 2, 300))))


def _many_columns(rows: Table, rng: Random) -> None:
    count = rng.choice((300, 3000))
    for number, row in enumerate(rows):
        row.extend(f"c{place}" if number == 0 else "" for place in range(count))


def _move_header(rows: Table, rng: Random) -> None:
    rng.choice((lambda: rows.pop(0), rows.reverse, lambda: rows.insert(0, ["Report of the day"])))()


def _header_alone(rows: Table, _rng: Random) -> None:
    del rows[1:]


def _many_rows(rows: Table, rng: Random) -> None:
    rows.extend([list(row) for row in rows[1:]] * rng.choice((2, 500)))


def _header_again(rows: Table, rng: Random) -> None:
    rows.insert(rng.randrange(len(rows) + 1), list(rows[0]))


TABLES: Mapping[str, Damage] = {
    change.__name__.strip("_"): _table(change)
    for change in (
        *(_hard_cells, _hard_cells, _hard_column, _hard_headers, _double_header, _swap_columns, _lose_column),
        *(_lose_cells, _add_cells, _many_columns, _move_header, _header_alone, _many_rows, _header_again),
    )
}


def change_delimiter(content: bytes, rng: Random) -> bytes:
    """Another delimiter, everywhere or from some line on."""
    marks = [b",", b";", b"|", b"\t", b":", b" ", b"\x01"]
    old, new = max(marks[:4], key=content.count), rng.choice(marks)
    place = rng.choice((0, rng.randrange(len(content))))
    return content[:place] + content[place:].replace(old, new)


def storm_of_quotes(content: bytes, rng: Random) -> bytes:
    """Quotes where none belong, or one that never closes."""
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 2, 3, 40))):
        damaged.insert(rng.randrange(len(damaged) + 1), rng.choice(b'""\'\\'))
    return bytes(damaged)


def change_line_ends(content: bytes, rng: Random) -> bytes:
    """Line ends of another machine, of several, doubled, or none."""
    ends = rng.choice(((b"\r",), (b"\r\n",), (b"\n\n",), (b"",), (b"\r", b"\n", b"\r\n"), (b"\n\r",), (b"\x0b",)))
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    return b"".join(line + rng.choice(ends) for line in lines)


def long_field(content: bytes, rng: Random) -> bytes:
    """A field, and so a line, longer than any reader expects."""
    place = rng.randrange(len(content) + 1)
    return (
        content[:place]
        + rng.choice((b"x", b"9", b" ", b"\xc3\xa9", b",")) * rng.choice((70_000, 3_000_000))
        + content[place:]
    )


def wrong_encoding(content: bytes, rng: Random) -> bytes:
    """The text in another encoding, or two encodings in one text."""
    words = content.decode(_encoding(content), "replace")
    other = rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-7", "cp500", "latin-1"))
    place = rng.choice((0, 0, rng.randrange(len(words) + 1)))
    return words[:place].encode() + (words[place:] + "Zürich µ").encode(other, "replace")


def invalid_bytes(content: bytes, rng: Random) -> bytes:
    """Bytes that are no UTF-8: overlong forms, surrogates, lone continuations, NUL."""
    hard = (b"\xc0\xaf", b"\xed\xa0\x80", b"\x80", b"\xf5\x80\x80\x80", b"\x00", b"\xe2\x82", b"\xff", b"\x1a", b"\xb5")
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.choice(hard) + content[place:]


def blank_lines(content: bytes, rng: Random) -> bytes:
    """Empty lines, lines of blanks and comments between the others."""
    lines = content.split(b"\n")
    for _ in range(rng.choice((1, 3, 30))):
        lines.insert(
            rng.randrange(len(lines) + 1), rng.choice((b"", b"   ", b",,,,,,", b"# comment", b"\r", b"(3 rows)"))
        )
    return b"\n".join(lines)


TEXT: Mapping[str, Damage] = {
    **TABLES,
    **{
        damage.__name__: inside(damage)
        for damage in (
            *(change_delimiter, storm_of_quotes, change_line_ends, long_field, wrong_encoding),
            *(invalid_bytes, blank_lines),
        )
    },
}
