"""Names that are not known, and what was probably meant: said in one way wherever names are read."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST_CHARACTERS = 100  # of a name that is looked at, and quoted
ALIKE = 0.8  # share of their letters that two names have in common where one is taken for the other misspelt


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that this one probably is, misspelt; None where none is like it."""
    folded = {other.casefold(): other for other in known}
    found = get_close_matches(name[:MOST_CHARACTERS].casefold().replace("-", "_"), folded, n=1, cutoff=ALIKE)
    return folded[found[0]] if found else None


def not_known(name: str, known: Iterable[str], what: str, *, prefix: str = "", listed: str = "") -> str:
    """What to tell of a name that is not known: "fillter is not a parameter; did you mean filter?".

    All names begin with `prefix`, which likens none to another. `listed` says where the known ones are to be found
    where they are too many to tell.
    """
    known = list(known)
    shown = name[:MOST_CHARACTERS] or '""'
    if near := nearest(name.removeprefix(prefix), [other.removeprefix(prefix) for other in known]):
        return f"{shown} is not {what}; did you mean {prefix}{near}?"
    return f"{shown} is not {what}; {listed or 'there are: ' + (', '.join(known) or 'none')}"
