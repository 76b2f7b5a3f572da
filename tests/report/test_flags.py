"""Boxes of honesty flags beside robust accuracies, and nowhere else."""

import io
from dataclasses import replace

import pandas as pd
import pytest
from markupsafe import escape
from report_cases import case
from report_html import Reader, check_tables
from rich.console import Console

from robustmeta.config.flags import FLAGS
from robustmeta.report.findings import findings
from robustmeta.report.flags import box
from robustmeta.report.page import html
from robustmeta.report.tables import tables
from robustmeta.report.terminal import short
from robustmeta.store.results import FLAG_COLUMNS, Results

ATTACK = ("case_attack", "handwriting")


def results(*warned: tuple[str, int, int, str], seeds: tuple[int, ...] = (0,)) -> Results:
    """``warned``: (learner, seed, step, flag) that warn on handwriting; control did not run."""
    made = case(targets=("handwriting",), seeds=seeds)
    rows = [
        (n, s, "handwriting", "case_attack", step, step / 1000, flag)
        + (("not run", float("nan"), "no large eps") if flag == "control" else ("pass", 0.0, "fine"))
        for n in ("maml", "protonet", "supervised")
        for s in seeds
        for step in (50, 100, 200)
        for flag in FLAGS
    ]
    flags = pd.DataFrame(rows, columns=list(FLAG_COLUMNS))
    for learner, seed, step, flag in warned:
        place = (flags["learner"] == learner) & (flags["seed"] == seed) & (flags["step"] == step)
        flags.loc[place & (flags["flag"] == flag), ["status", "text"]] = ["warn", f"measured <{seed} {step}>"]
    return replace(made, flags=flags)


WARNED = results(("maml", 0, 100, "zero_grad"), ("maml", 0, 200, "zero_grad"), ("maml", 0, 200, "not_converged"))


def test_every_robust_accuracy_has_a_box_and_no_other_number() -> None:
    held = 0
    for table in Reader(html(WARNED)).tables:
        if table.heads[0] == "learner":  # the overview
            robust = [[h in ("attacked", "worst") for h in table.heads[1:]]] * len(table.rows)
        elif "accuracy" in table.caption:
            attacked = [label.startswith("case_attack") or "all attacks" in label for label, _ in table.rows]
            robust = [[a] * len(cells) for a, (_, cells) in zip(attacked, table.rows, strict=True)]
        else:
            robust = [[False] * len(cells) for _, cells in table.rows]
        for (label, cells), wanted in zip(table.rows, robust, strict=True):
            for cell, box_ in zip(cells, wanted, strict=False):
                assert cell.boxed == box_, (table.caption, label)
                held += box_
    assert held == 2 * 3 + 2 * 3 * 3 + 3  # the overview; each eps in short and in full; their mean


def test_a_box_counts_flags_and_says_where_with_values_and_rules() -> None:
    found = findings(WARNED)
    points = {p.step: p for p in found.of("maml", "handwriting") if p.axis == "eps"}
    one, all_ = box([points[200]]), box(points.values())
    assert one is not None
    assert all_ is not None
    assert (one.chip, [w.name for w in one.warned]) == ("2 flags", ["zero_grad", "not_converged"])
    assert one.warned[0].found == ("measured <0 200>",)
    assert one.warned[0].rule == FLAGS["zero_grad"].rule
    assert (len(one.passed), dict(one.idle)) == (len(FLAGS) - 3, {"control": "no large eps"})
    assert all_.warned[0].found == (
        "case_attack eps 0.1: measured <0 100>",
        "case_attack eps 0.2: measured <0 200>",
    )
    clear = box([points[50]])
    assert clear is not None
    assert (clear.chip, clear.label) == ("no flag", f"0 of {len(FLAGS) - 1} honesty flags that ran warn, 1 did not run")
    assert box(p for p in found.of("maml", "handwriting") if p.axis != "eps") is None


def test_seeds_are_named_where_there_are_several() -> None:
    found = findings(results(("maml", 1, 50, "dynamic"), seeds=(0, 1)))
    made = box([p for p in found.of("maml", "handwriting") if p.step == 50])
    assert made is not None
    assert [w.found for w in made.warned] == [("seed 1: measured <1 50>",)]


def test_the_page_says_it_with_the_rules_and_is_inert() -> None:
    text = html(WARNED)
    assert ">2 flags</summary>" in text
    assert ">no flag</summary>" in text
    assert "measured &lt;0 200&gt;" in text
    assert "honesty flags warn: zero_grad and not_converged" in text  # in the verdict and below the curve
    for name, flag in FLAGS.items():
        assert f"<td>{escape(flag.rule)}</td>" in text, name
    plain = html(case(targets=("handwriting",)))
    assert "onesty flags" not in plain
    assert '<details class="flags' not in plain


@pytest.mark.parametrize("of", [WARNED, results()], ids=["warned", "clear"])
def test_the_numbers_beside_boxes_are_those_of_the_records(of: Results) -> None:
    assert check_tables(of) == check_tables(case(targets=("handwriting",)))


def test_the_terminal_and_the_files_say_it() -> None:
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(*short(WARNED), sep="\n")
    assert "honesty flags warn: zero_grad and not_converged; the report says where" in console.export_text()
    written = tables(WARNED)
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(written["flags.csv"])), WARNED.flags)
    assert "flags.csv" not in tables(case())
