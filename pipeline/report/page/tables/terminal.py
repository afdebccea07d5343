"""Tables of the report on a terminal."""

from rich import box
from rich.markup import escape
from rich.table import Table as RichTable

from pipeline.report.page.tables.cells import Cell, Table

__all__ = ["terminal_table"]


def terminal_table(table: Table) -> RichTable:
    """Table of the report as rich prints it: colours as squares, notes dim, without the caption and the notes below."""
    shown = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for head in table.head:
        shown.add_column(head.text, justify="right" if head.kind == "number" else "left", no_wrap=True)
    for row in table.rows:
        shown.add_row(*map(_cell, row))
    return shown


def _cell(cell: Cell) -> str:
    text = " ".join([*(f"[{chip[1]}]■[/] {chip[0]}" for chip in cell.chips), escape(cell.text)]).strip()
    text = f"[bold]{text}[/]" if cell.strong else text
    return f"{text} [dim]{cell.note.replace(' %', '%')}[/]" if cell.note else text
