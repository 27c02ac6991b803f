"""Damage to what is around a file: its name, what lies beside it, and that it changes while it is read."""

import os
import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from tests.fuzz.damage_archives import HARD_NAMES

Surround = Callable[[Path, Random], None]
FILE_NAMES = (
    *("labs[1].csv", "labs*.csv", "lab's.csv", 'la"b.csv', "labs?.csv", "{lb}.csv", "-rf.csv", "%s %d.csv", "a;b.csv"),
    *(
        "labs\n.csv",
        "labs\t.csv",
        "l\u00e4bs \u00b5.csv",
        "\u202elabs.csv",
        "😀.csv",
        "labs.csv.csv",
        "labs",
        "labs.",
        "labs..csv",
    ),
    *("labs.CSV", "labs.csv.gz", "labs.parquet", "labs.xpt", "labs.xlsx", "labs.duckdb", "labs.json", "labs.zip"),
    *(
        "labs.csv.part",
        ".labs.csv",
        "source.yml",
        "labs.yaml",
        "~labs.csv",
        "$HOME.csv",
        "labs\\.csv",
        "n" * 200 + ".csv",
    ),
    *("labs.hive=1.csv", "http:", "s3:", "labs.csv?x=1", "labs\x7f.csv", "labs\udcff.csv", "labs\udce9\udc80.csv"),
)


def _some_file(folder: Path, rng: Random) -> Path:
    return rng.choice(sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".yaml"))


def _hard_name(folder: Path, rng: Random) -> None:
    file = _some_file(folder, rng)
    file.rename(file.with_name(rng.choice(FILE_NAMES)))


def _hard_name_with_others(folder: Path, rng: Random) -> None:
    """Names that stand for others if a reader takes them for a pattern."""
    file = _some_file(folder, rng)
    for name in ("labs1.csv", "labsx.csv"):
        (folder / name).write_text("person_id,collected_at,test_code,value,unit\nx,2024-01-01,751-8,1,10*9/L\n")
    file.rename(file.with_name(rng.choice(("labs[1].csv", "labs*.csv", "labs?.csv", "labs[x].csv"))))


def _hard_folder(folder: Path, rng: Random) -> None:
    file = _some_file(folder, rng)
    names = [name for name in HARD_NAMES if name.strip("./\\") and "\0" not in name and len(name) < 250]
    inner = folder / rng.choice(names).strip("/").replace("..", "x")
    inner = inner.with_name(f"{inner.name}_") if inner.is_file() else inner
    inner.mkdir(parents=True, exist_ok=True)
    file.rename(inner / file.name)


def _folder_like_file(folder: Path, rng: Random) -> None:
    (folder / "more.csv").mkdir()
    if rng.random() < 0.5:
        shutil.copy(_some_file(folder, rng), folder / "more.csv" / "inner.csv")


def _folder_for_map(folder: Path, _rng: Random) -> None:
    (folder / "source.yaml").unlink(missing_ok=True)
    (folder / "source.yaml").mkdir()


def _pipe(folder: Path, rng: Random) -> None:
    name = rng.choice(("pipe.csv", "source.yaml", _some_file(folder, rng).name))
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)


def _plug(folder: Path, _rng: Random) -> None:
    here = Path.cwd()
    os.chdir(folder)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind("plug.csv")
    finally:
        os.chdir(here)


def _link(folder: Path, rng: Random) -> None:
    name = rng.choice(("link.csv", "source.yaml", _some_file(folder, rng).name))
    target = rng.choice(
        ("/dev/zero", "/dev/full", "/dev/random", "nowhere", name, ".", "/proc/self/environ", "/etc/passwd")
    )
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(target)


def _link_to_other(folder: Path, rng: Random) -> None:
    (folder / "again.csv").symlink_to(_some_file(folder, rng))


def _empty_beside(folder: Path, rng: Random) -> None:
    (folder / rng.choice(("empty.csv", "empty.parquet", "empty.txt", "source.yaml", "empty.json"))).write_bytes(b"")


def _copies(folder: Path, rng: Random) -> None:
    file = _some_file(folder, rng)
    for number in range(rng.choice((1, 8))):
        shutil.copy(file, file.with_name(f"copy{number}{''.join(file.suffixes)}"))


def _strangers(folder: Path, rng: Random) -> None:
    contents = (
        b"%PDF-1.7\n",
        b"\x89PNG\r\n\x1a\n",
        b"MZ\x90",
        b"{}",
        b"<html></html>",
        b"id: 1\n",
        b"DUCKDUCKDUCK" * 9,
        b"hello\n",
    )
    for name in ("notes.txt", "scan.pdf", "stranger.csv", "x.json"):
        (folder / name).write_bytes(rng.choice(contents))


def _journal(folder: Path, rng: Random) -> None:
    file = _some_file(folder, rng)
    file.with_name(file.name + ".wal").write_bytes(rng.randbytes(64))


AROUND: Mapping[str, Surround] = {
    surround.__name__.strip("_"): surround
    for surround in (
        *(_hard_name, _hard_name_with_others, _hard_folder, _folder_like_file, _folder_for_map, _pipe, _plug, _link),
        *(_link_to_other, _empty_beside, _copies, _strangers, _journal),
    )
}


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _empty(file: Path) -> None:
    os.truncate(file, 0)


def _grow(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"9,9,9,9,9,9,9\n" * 5)


def _overwrite(file: Path) -> None:
    file.write_bytes(b"PAR1" + bytes(200) + b"PAR1")


def _rewrite(file: Path) -> None:
    file.write_bytes(b"a,b,c\n1,2,3\n")


def _become_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _become_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


CHANGES: Mapping[str, Callable[[Path], None]] = {
    "vanishes": Path.unlink,
    **{
        change.__name__.strip("_"): change
        for change in (_cut, _empty, _grow, _overwrite, _rewrite, _become_folder, _become_pipe)
    },
}
MOMENTS = ("listed", "recognised", "opened")
