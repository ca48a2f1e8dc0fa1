"""Tables of any width: whole, with fewer columns, or row by row as keys and values.

No number is ever cut. A name may be folded.
"""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from landslide_cli.console.streams import in_words, printable
from landslide_cli.reporting import Table

# Cells up to this length are never broken, such as "0.123 to 0.456"; longer ones between words.
_WHOLE = 16
# Names are folded to no less than the first, words of them to no less than the second.
_NAME, _WORD = 12, 20
# The lines around a column and the spaces inside them.
_FRAME = 3


def drawn(table: Table, width: int, records: bool = True) -> RenderableType:
    """Draw a table in at most `width` characters.

    Columns are left out in the order of `table.least`, and named below. If that is not enough, the
    rows are written one below the other, as keys and values of all columns.

    Args:
        table: with text of any kind in its cells.
        width: in characters.
        records: whether rows may be written one below the other; otherwise more columns are left
            out, the last first.
    """
    table = _printable(table)
    shown = list(range(len(table.columns)))
    droppable = [table.columns.index(name) for name in table.least if name in table.columns]
    if not records:
        droppable += [index for index in reversed(shown[1:]) if index not in droppable]
    left_out: list[int] = []
    while _needed(table, shown) > width:
        if len(left_out) == len(droppable):
            return _records(table, width) if records else Text()
        left_out.append(droppable[len(left_out)])
        shown = [index for index in shown if index not in left_out]
    framed = _framed(table, shown, width)
    if not left_out or not records:
        return framed
    names = ", ".join(table.columns[index] for index in sorted(left_out))
    note = f"not shown: {names}; see a wider terminal, or --json"
    return Group(framed, *(Text(line, style="dim") for line in in_words(note, width)))


def needed_width(table: Table) -> int:
    """Return the width from which on all columns are shown."""
    return _needed(_printable(table), range(len(table.columns)))


def _printable(table: Table) -> Table:
    columns = [printable(column) for column in table.columns]
    rows = [[printable(cell) for cell in row] for row in table.rows]
    least = [printable(column) for column in table.least]
    return Table(printable(table.title), columns, rows, least)


def _needed(table: Table, shown: Sequence[int]) -> int:
    return _FRAME * len(shown) + 1 + sum(_least(table, index) for index in shown)


def _least(table: Table, index: int) -> int:
    """Return the width below which a column of values would be cut, or one of names illegible."""
    cells = [row[index] for row in table.rows]
    longest = max(map(cell_len, cells), default=0)
    word = max((cell_len(word) for cell in cells for word in cell.split()), default=0)
    head = max(map(cell_len, table.columns[index].split()), default=0)
    if index == 0:
        return max(min(word, _WORD), min(longest, _NAME), min(head, _WORD))
    return max(longest if longest <= _WHOLE else word, head)


def _lengths(table: Table) -> list[int]:
    """Return the widths at which nothing in the columns is broken."""
    return [
        max(map(cell_len, (head, *(row[index] for row in table.rows))))
        for index, head in enumerate(table.columns)
    ]


def _framed(table: Table, shown: Sequence[int], width: int) -> RichTable:
    lengths = _lengths(table)
    widths = {index: _least(table, index) for index in shown}
    spare = width - _needed(table, shown)
    # What lacks little gets it first.
    for index in sorted(shown, key=lambda index: lengths[index] - widths[index]):
        more = max(0, min(spare, lengths[index] - widths[index]))
        widths[index] += more
        spare -= more
    # Text: a name may look like markup.
    title = Text(table.title, style="table.title") if table.title else None
    framed = RichTable(title=title, title_justify="left")
    for index in shown:
        framed.add_column(
            Text(table.columns[index]),
            justify="right" if index else "left",
            overflow="fold",
            width=widths[index],
        )
    for row in table.rows:
        framed.add_row(*(Text(row[index]) for index in shown))
    return framed


def _records(table: Table, width: int) -> Group:
    """Write each row as its name, and below it a line for each key; on one line if it can be."""
    lines = [Text(line, style="italic") for line in in_words(table.title, width) if line]
    keys = table.columns[1:]
    longest = max(map(cell_len, keys), default=0)
    for name, *values in table.rows:
        # Indented rows tell more of the one above them, not of another thing.
        is_thing = table.columns[0] and not name.startswith(" ")
        title = f"{table.columns[0]} {name}" if is_thing else name.strip()
        known = [(k, v) for k, v in zip(keys, values, strict=True) if v not in ("", "-")]
        if [key for key, _ in known] == ["value"]:
            lines += map(Text, in_words(f"{title}: {known[0][1]}", width))
            continue
        if known:
            lines += [Text(line, style="bold") for line in in_words(title, width)]
        for key, value in known:
            indented = f"  {key}{' ' * (longest - cell_len(key))}  {value}"
            if cell_len(indented) <= width:
                lines.append(Text(indented))
            else:
                lines += map(Text, in_words(key, width, "  ") + in_words(value, width, "    "))
    return Group(*lines)
