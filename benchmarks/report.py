"""Results as Markdown: a table, bars, and the place in RESULTS.md where they stand."""

import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

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
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
    return f"{processor}, {torch.get_num_threads()} cores, {torch.backends.cpu.get_cpu_capability()}"


def publish(section: str, text: str, *, write: bool) -> None:
    """Print; and, if asked, put the text in RESULTS.md between the marks of its section."""
    print(text)
    if write:
        start, end = f"<!-- {section} -->", f"<!-- /{section} -->"
        whole = RESULTS.read_text(encoding="utf-8")
        pattern = re.escape(start) + ".*?" + re.escape(end)
        block = f"{start}\n{text}\n{end}"
        if start in whole:
            whole = re.sub(pattern, lambda _: block, whole, flags=re.S)
        else:
            whole = f"{whole.rstrip()}\n\n{block}\n"
        RESULTS.write_text(whole, encoding="utf-8")
