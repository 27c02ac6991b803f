"""What a definition may hold, its limits and what stands where nothing is written are as they were published.

An editor and a site's own files rely on them; who changes one does it knowingly.
"""

import json

import polars as pl

from flows.definition_schemas import publish_schemas
from tests.numbers.telling import MOVED, find_moved


def test_a_published_schema_is_the_one_that_was_told() -> None:
    parts = {
        f"{kind} {name}": pl.DataFrame({"schema": [json.dumps(part, sort_keys=True)]})
        for kind, schema in publish_schemas().items()
        for name, part in {"": {**schema, "$defs": {}}, **schema.get("$defs", {})}.items()
    }
    assert find_moved("schemas", parts) == [], MOVED
