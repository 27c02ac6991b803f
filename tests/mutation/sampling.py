"""Which mutants are tried: every place in `transforms/` that cosmic-ray can change, and a seeded sample of them.

A place is drawn first and then one change of it, so that an operator with eleven replacements counts once. Modules are
strata: each gets its share of the sample by its number of places, and at least one. Annotations are no logic and are
left out.
"""

import ast
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.provider import OperatorProvider

NEEDS_ARGUMENTS = frozenset({"VariableReplacer", "VariableInserter"})
Place = tuple[int, int]


@dataclass(frozen=True, order=True)
class Mutant:
    """One change: the occurrence-th place that the operator can change in a module, and the line it is in."""

    module: str
    line: int
    column: int
    operator: str
    occurrence: int

    @property
    def key(self) -> str:
        """What it is called in the results."""
        return f"{self.module}:{self.line}:{self.column}:{self.operator}:{self.occurrence}"


def draw_mutants(root: Path, n_mutants: int, seed: int) -> list[Mutant]:
    """`n_mutants` of all, or a few more, because each module has one at least; in an order that mixes modules."""
    places = {
        path.relative_to(root).as_posix(): _places(path, root) for path in sorted(root.glob("transforms/**/*.py"))
    }
    places = {module: found for module, found in places.items() if found}
    total = sum(len(found) for found in places.values())
    chance = random.Random(seed)  # noqa: S311 - a seed gives the same sample
    drawn: list[Mutant] = []
    for found in places.values():
        n_here = min(len(found), max(1, round(n_mutants * len(found) / total)))
        drawn += [chance.choice(found[place]) for place in chance.sample(sorted(found), n_here)]
    chance.shuffle(drawn)
    return drawn


def mutate(root: Path, mutant: Mutant) -> str:
    """The module's text with the change."""
    operator = OperatorProvider()[mutant.operator]()
    changed = mutate_code((root / mutant.module).read_text(encoding="utf-8"), operator, mutant.occurrence)
    if changed is None:
        raise LookupError(mutant.key)
    return str(changed)


def _places(path: Path, root: Path) -> Mapping[Place, Sequence[Mutant]]:
    text, module = path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()
    nodes, skipped = list(ast_nodes(get_ast(text))), list(_annotations(ast.parse(text)))
    found: dict[Place, list[Mutant]] = {}
    for name in OperatorProvider():
        if name in NEEDS_ARGUMENTS:
            continue
        operator, occurrence = OperatorProvider()[name](), 0
        for node in nodes:
            for start, _ in operator.mutation_positions(node):
                if not any(begins <= start < ends for begins, ends in skipped):
                    found.setdefault(start, []).append(Mutant(module, *start, name, occurrence))
                occurrence += 1
    return found


def _annotations(tree: ast.AST) -> Iterator[tuple[Place, Place]]:
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            written = getattr(node, name, None)
            if isinstance(written, ast.expr):
                yield (written.lineno, written.col_offset), (written.end_lineno or 0, written.end_col_offset or 0)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp) and _is_alias(node):
            yield (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)


def _is_alias(node: ast.Assign) -> bool:
    """`Days = Sequence[tuple[int, float]]`: a name of a type."""
    return all(
        isinstance(target, ast.Name) and target.id[:1].isupper() and not target.id.isupper() for target in node.targets
    )
