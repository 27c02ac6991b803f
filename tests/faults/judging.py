"""What must hold after any fault: a site that opens, and tables that are those before or after a night, whole."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from transforms.schemas import load_tables, schema_of

# Which run a row came from, and by which of its files, is no difference in a result.
PROVENANCE = {"run_id", "input_id", "row_number", "column_number"}
RESULTS = [name for name in load_tables() if name.split(".")[0] in {"canonical", "derived", "counts"}]
SHOWN = [name for name in load_tables() if name.startswith("released.")]
LINK = re.compile(r"(?:src|href)=\"([^\"#:]+\.(?:js|css|html))\"")


def read_results(workspace: Path) -> Mapping[str, tuple[int, str]]:
    """Of each canonical, derived and counts table its number of rows and a hash of their content, in any order."""
    return _contents(workspace, RESULTS, "true")


def read_released(workspace: Path) -> Mapping[str, tuple[int, str]]:
    """The same of what the newest published night released."""
    return _contents(
        workspace, SHOWN, "run_id = (SELECT max_by(run_id, started_at) FROM ops.run WHERE state = 'published')"
    )


def _contents(workspace: Path, names: Sequence[str], where: str) -> Mapping[str, tuple[int, str]]:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        return {name: _content(connection, name, where) for name in names}


def _content(connection: duckdb.DuckDBPyConnection, name: str, where: str) -> tuple[int, str]:
    """Two sums of hashes, the second of which knows the values as text: 0.0 and -0.0 are one number and two texts."""
    columns = [f'"{column}"' for column in schema_of(name).column_names if column not in PROVENANCE]
    texts = [f"{column}::VARCHAR" for column in columns]
    sums = ", ".join(f"sum(hash({', '.join(of)})::HUGEINT)" for of in (columns, texts))
    n, *digests = connection.execute(f"SELECT count(*), {sums} FROM {name} WHERE {where}").fetchall()[0]
    return int(n), " ".join(map(str, digests))


def read_downloads(workspace: Path) -> Mapping[str, bytes]:
    """The text downloads of the newest published night, without the id of its run."""
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        run_id = connection.execute(
            "SELECT max_by(run_id, started_at) FROM ops.run WHERE state = 'published'"
        ).fetchall()[0][0]
    folder = workspace / "site" / "runs" / run_id / "downloads"
    return {p.name: p.read_bytes().replace(run_id.encode(), b"RUN") for p in sorted(folder.glob("*.csv"))}


def broken_links(site: Path) -> list[str]:
    """Pages of a site that are cut short, and links in them that lead nowhere; none for a site with no page yet."""
    wrong = []
    for page in [*site.glob("*.html"), *site.glob("runs/*/index.html")]:
        text = page.read_text(encoding="utf-8")
        if not text.rstrip().endswith("</html>"):
            wrong.append(f"{page.name} is cut short")
        links = LINK.findall(text[:20_000] if page.name == "latest.html" else text)
        wrong += [f"{page.relative_to(site)} -> {link}" for link in links if not (page.parent / link).exists()]
    if (site / "index.html").exists() and not (site / "latest.html").exists():
        wrong.append("there is no latest.html")
    return wrong


def leftovers(workspace: Path) -> list[str]:
    """What a run that is over must not leave behind."""
    work = workspace / "work"
    found = sorted(path.name for path in work.iterdir()) if work.exists() else []
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        open_runs = connection.execute(
            "SELECT run_id FROM ops.run WHERE state NOT IN ('published', 'failed', 'stopped', 'unchanged')"
        ).fetchall()
    return found + [str(row[0]) for row in open_runs]
