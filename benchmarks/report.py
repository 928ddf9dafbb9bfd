"""Write results as Markdown: tables, bars, and the sections of RESULTS.md that benchmarks replace."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.processor import machine_kind, this_processor

RESULTS = Path(__file__).with_name("RESULTS.md")
BAR = 48  # characters


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def bars(values: Mapping[str, float], unit: str) -> str:
    """A plot: one bar a name, the longest over the whole width."""
    width, most = max(map(len, values)), max(values.values())
    lines = [
        f"{name:<{width}} {'█' * max(1, round(BAR * value / most)):<{BAR}} {value:.3g} {unit}"
        for name, value in values.items()
    ]
    return "```\n" + "\n".join(lines) + "\n```"


def machine() -> str:
    """Describe this machine in words: its processor, how many cores this process may use, and its instruction sets."""
    processor = this_processor()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    sets = " ".join(processor.instruction_sets) or "instruction sets unknown"
    return f"{processor.name}, {cores} cores, {sets}"


def publish(section: str, text: str, *, write: bool, kind: str | None = None) -> None:
    """Print the results; with `write`, put them into RESULTS.md as the section's block for this kind of machine.

    kind: the name of the block; by default `machine_kind()`.
    """
    print(text)
    if write:
        page = RESULTS.read_text(encoding="utf-8")
        RESULTS.write_text(with_block(page, section, kind or machine_kind(), text), encoding="utf-8")


def with_block(page: str, section: str, kind: str, text: str) -> str:
    """Return the page with `text` as the section's block for this kind of machine.

    The blocks of other kinds and all other sections stay as they are. A new block comes last in its section, and a new
    section last on the page.
    """
    block = _between(f"on {kind}", f"On {kind}:\n\n{text.strip()}")
    before, blocks, after = _found(page, section)
    earlier, old, later = _found(blocks, f"on {kind}")
    blocks = earlier + block + later if old else f"{blocks.strip()}\n\n{block}"
    return f"{before.rstrip()}\n\n{_between(section, blocks.strip())}\n\n{after.lstrip()}".strip() + "\n"


def _between(name: str, text: str) -> str:
    return f"<!-- {name} -->\n{text}\n<!-- /{name} -->"


def _found(text: str, name: str) -> tuple[str, str, str]:
    """Split a text into what is before the marks with this name, between them and after them.

    All of a text without such marks is before them.
    """
    before, _, rest = text.partition(f"<!-- {name} -->")
    between, _, after = rest.partition(f"<!-- /{name} -->")
    return before, between, after
