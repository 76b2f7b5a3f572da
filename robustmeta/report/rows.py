"""Frames as plain rows, grouped in the order in which they come."""

from typing import Any

import pandas as pd

Rows = list[dict[str, Any]]


def grouped(table: pd.DataFrame, *columns: str) -> dict[tuple[Any, ...], Rows]:
    """The rows of a frame by the values of some columns; nothing of an empty frame, which may lack the columns."""
    groups: dict[tuple[Any, ...], Rows] = {}
    for row in table.to_dict("records"):
        named = {str(k): v for k, v in row.items()}
        groups.setdefault(tuple(named[c] for c in columns), []).append(named)
    return groups


def mean(rows: Rows, column: str) -> float:
    """The mean of a column; NaN if a row has none."""
    return sum(float(row[column]) for row in rows) / len(rows)
