"""A report of `evaluate` as tables for a terminal."""

import re
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from evaluation.rows import Figures

NO_RATES = re.compile(r"p\d|times|.*_mrr")


def print_tables(report: Mapping[str, Mapping[str, Figures]], out: Console) -> None:
    """A table for each kind of figures, a line for each slice; a count and its share stand together."""
    for name, slices in report.items():
        everything = slices["all"]
        columns = [column for column in everything if not column.endswith("_share")]
        table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column(name, overflow="fold")
        for column in columns:
            table.add_column(_heading(everything, column), justify="right", no_wrap=True)
        for part, measured in slices.items():
            table.add_row(part, *(_shown(measured, column) for column in columns))
        out.print(table)
        out.print()


def _heading(measured: Figures, column: str) -> str:
    lines = re.sub("_|(?=@)", "\n", column)
    return f"{lines} %" if _is_rate(measured, column) else lines


def _shown(measured: Figures, column: str) -> str:
    value = measured[column]
    if f"{column}_share" in measured:
        return f"{value} {100 * measured[f'{column}_share']:5.1f}%"
    if isinstance(value, int):
        return str(value)
    if _is_rate(measured, column):
        return f"{100 * value:.1f}"
    return f"{value:.3f}" if "_mrr" in column else f"{value:.1f}"


def _is_rate(measured: Figures, column: str) -> bool:
    return isinstance(measured[column], float) and not NO_RATES.match(column)
