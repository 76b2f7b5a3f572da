import io
import math

import pandas as pd
from report_cases import case
from rich.console import Console

from robustmeta.report.tables import tables
from robustmeta.report.terminal import short


def printed(results, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(*short(results), sep="\n")
    return console.export_text()


def test_the_csv_holds_all_points_exactly() -> None:
    results = case(lambda *_: 1 / 3)
    read = pd.read_csv(io.StringIO(tables(results)["results.csv"]), keep_default_na=True)
    pd.testing.assert_frame_equal(
        read[["learner", "target", "shift", "step", "metric", "mean", "low", "high", "gain"]],
        results.points[["learner", "target", "shift", "step", "metric", "mean", "low", "high", "gain"]],
        check_exact=True,
        check_dtype=False,
    )


def test_the_tex_is_balanced_and_escaped() -> None:
    text = tables(case(corruptions={"case_noise": (1,)}))["results.tex"]
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    body = [line for line in text.splitlines() if "&" in line]
    assert {line.count("&") for line in body} == {4}
    assert "−" not in text
    assert r"protonet & \textbf{96.0}" in text


def test_the_short_form_fits_and_says_who_wins() -> None:
    text = printed(case(corruptions={"quite_a_long_corruption_name": (1, 3, 5)}))
    assert max(map(len, text.splitlines())) <= 100
    assert "On clean images: protonet beats the supervised baseline" in text
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("protonet")]
    assert rows[0][1] == "96.0"
    assert rows[0][-3:] == ["+2.0", "[+1.5,", "+2.5]"]
    assert "note 1: levels ink-28: ours, not a published table" in text


def test_the_short_form_shows_failures() -> None:
    text = printed(case(lambda learner, *_: math.nan if learner == "maml" else 0.9))
    row = next(line for line in text.splitlines() if line.strip().startswith("maml"))
    assert row.split().count("failed") == 4
