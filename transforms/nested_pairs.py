"""Which counts of people lie inside which, by the names of their nodes (`nested.py`)."""

from itertools import pairwise

OBSERVED, TESTED = "observed", "tested"
COUNTED = "counted"
_HOLDS = {"aged": "new", "new": "episode", "incident": "episode", "recovered": "incident"}


def threshold_of(node: str) -> int:
    """The threshold in the name of a node; 0 if it has none."""
    numbers = [int(part) for part in node.split("|") if part.isdigit()]
    return numbers[0] if numbers else 0


def pairs_of(nodes: list[str]) -> list[tuple[str, str]]:
    """(part, whole) of every two counts of which one is known to lie in the other."""
    split = {node: node.split("|") for node in nodes}
    pairs = [(TESTED, OBSERVED), (TESTED, COUNTED), (COUNTED, OBSERVED)]
    for node, parts in split.items():
        if parts[0] in {"low", "possible"}:
            pairs += _pairs_of_low(node, parts)
        elif parts[0].startswith("weighted_"):
            pairs += _pairs_of_weighted(node, parts)
        elif parts[0].startswith("aged_"):
            pairs += _pairs_of_aged(node, parts)
        elif parts[0] in {"grade", "level", "bin"}:
            pairs.append((node, TESTED))
        elif parts[0] in {"scope", "out"}:
            pairs += _pairs_of_scope(node, parts, nodes)
        elif parts[0] == "episode":
            pairs.append((node, f"low|confirmed|{parts[1]}|{parts[2]}|{OBSERVED}"))
        elif parts[0] in _HOLDS:
            pairs.append((node, "|".join([_HOLDS[parts[0]], *parts[1:]])))
        elif parts[0] in {"low_tests", "isolated"}:
            pairs.append(_pair_of_low_values(node, parts))
    return [pair for pair in [*pairs, *_pairs_of_thresholds(nodes)] if split.keys() >= set(pair)]


def _pairs_of_scope(node: str, parts: list[str], nodes: list[str]) -> list[tuple[str, str]]:
    """People that a scale is meant for lie in all below the same boundary, and may lie in those of another scope."""
    kind, scope, *cut = parts
    if cut == ["all"]:
        return [(node, TESTED)]
    others = [other for other in nodes if other.startswith("scope|") and other.split("|")[2:] == cut != ["all"]]
    beside = [(node, other) for other in others if kind == "scope" and other > node]
    return [(node, f"{kind}|{scope}|all"), (node, f"grade|{cut[0]}"), (node, TESTED), *beside]


def pairs_of_confirmed(nodes: list[str]) -> list[tuple[str, str]]:
    """Over the whole extract a confirmed episode needs a low value; in one month an open episode may have none."""
    confirmed = [node.split("|") for node in nodes if node.startswith("low|confirmed")]
    pairs = [("|".join(parts), f"low|any_low|any_value|{parts[3]}|{parts[4]}") for parts in confirmed]
    return [pair for pair in pairs if pair[1] in nodes]


def _pairs_of_low(node: str, parts: list[str]) -> list[tuple[str, str]]:
    kind, measure, rule, threshold, denominator = parts
    rest = f"{measure}|{rule}|{threshold}"
    pairs = [(node, denominator)]
    if kind == "low":
        pairs.append((node, f"possible|{rest}|{denominator}"))
    if denominator == TESTED:
        pairs.append((node, f"{kind}|{rest}|{OBSERVED}"))
    if kind == "low" and measure == "any_low" and denominator == OBSERVED:
        pairs.append((node, f"low|{rest}|{TESTED}"))  # a low value is a test, so the two are the same people
    return pairs


def _pair_of_low_values(node: str, parts: list[str]) -> tuple[str, str]:
    """Everybody low has a low test; who has an isolated low value is low."""
    low = f"low|any_low|any_value|{parts[-1]}"
    return (f"{low}|{TESTED}", node) if parts[0] == "low_tests" else (node, f"{low}|{OBSERVED}")


def _pairs_of_weighted(node: str, parts: list[str]) -> list[tuple[str, str]]:
    """People with a weight lie in the same people with and without one."""
    kind, *cut, denominator = parts
    if kind == "weighted_population":
        return [(node, denominator)]
    pairs = [(node, "|".join([kind.removeprefix("weighted_"), *cut, denominator]))]
    pairs.append((node, f"weighted_population|all|{denominator}"))
    return [*pairs, (node, "|".join(["weighted_possible", *cut, denominator]))] if kind == "weighted_low" else pairs


def _pairs_of_aged(node: str, parts: list[str]) -> list[tuple[str, str]]:
    """People of known age and sex lie in the same people whatever their age."""
    kind, *cut, denominator = parts
    if kind == "aged_population":
        return [(node, denominator)]
    return [(node, "|".join(["low", *cut, denominator])), (node, f"aged_population|all|{denominator}")]


def _pairs_of_thresholds(nodes: list[str]) -> list[tuple[str, str]]:
    families: dict[str, list[str]] = {}
    for node in nodes:
        parts = node.split("|")
        if parts[0] in {"low", "possible", "episode", "weighted_low", "weighted_possible", "aged_low", "low_tests"}:
            families.setdefault("|".join(part for part in parts if not part.isdigit()), []).append(node)
    return [
        pair for family in families.values() for pair in pairwise(sorted(family, key=threshold_of)) if len(family) > 1
    ]
