"""Dirty supports stand apart from corruptions of pixels wherever a report or MLflow averages."""

import io
from dataclasses import replace

from report_cases import case
from report_html import Reader, check_tables
from results_factory import make_results
from rich.console import Console

from robustmeta.config.shifts import shift_entry
from robustmeta.report.findings import findings
from robustmeta.report.headline import verdicts
from robustmeta.report.page import html
from robustmeta.report.terminal import short
from robustmeta.store.results import Results
from robustmeta.tracking.curves import accuracies, summary

ACCURACY = {"clean": 0.9, "case_noise": 0.8, "case_blur": 0.6, "wrong_labels": 0.2, "few_labels": 0.4}


def results(taskings: tuple[str, ...] = ("wrong_labels", "few_labels")) -> Results:
    """protonet is 4 points better than the baseline under corruptions, 4 points worse with dirty supports."""

    def accuracy(learner: str, target: str, shift: str, value: float) -> float:
        sign = 0 if shift == "clean" else -1 if shift in taskings else 1
        return ACCURACY.get(shift, 0.5) + 0.04 * sign * (learner == "protonet")

    dirty = dict.fromkeys(taskings, (1, 5))
    return case(accuracy, ("protonet",), targets=("handwriting",), taskings=dirty)


def test_the_headline_has_a_sentence_for_each() -> None:
    found = verdicts(findings(results()))
    assert [v.condition for v in found] == ["clean", "severity", "tasks", "eps"]
    assert found[1].lead == "Under corruptions, on average: protonet beats the supervised baseline on handwriting."
    assert found[1].statements[0].text.startswith("protonet reaches 74.0%")  # (80 + 60) / 2 + 4
    assert found[2].lead == ("With dirty supports, on average: the supervised baseline beats protonet on handwriting.")
    assert found[2].statements[0].text.startswith("protonet reaches 26.0%")  # (20 + 40) / 2 - 4


def test_the_average_over_corruptions_does_not_know_of_dirty_supports() -> None:
    with_them, without = findings(results()), findings(results(()))
    at = ("protonet", "handwriting", "severity")
    assert with_them.over(*at) == without.over(*at)
    assert verdicts(with_them)[1] == verdicts(without)[1]
    assert [v.condition for v in verdicts(without)] == ["clean", "severity", "eps"]


def test_tables_have_a_column_and_rows_for_them() -> None:
    text = html(results())
    tables = Reader(text).tables
    assert tables[0].heads[1:] == ["clean", "corrupted", "dirty support", "attacked", "worst"]
    cells = next(cells for label, cells in tables[0].rows if "protonet" in label)
    assert [cell.text.split()[0].split("[")[0] for cell in cells[1:3]] == ["74.0", "26.0"]
    short_table = next(t for t in tables if t.caption.startswith("handwriting: accuracy"))
    means = [cells[0].text for label, cells in short_table.rows if label.startswith("mean")]
    assert [text[:4] for text in means] == ["74.0", "26.0", "54.0"]  # corruptions, dirty supports, attacks
    labels = [label for label, _ in short_table.rows]
    assert any(label.startswith("wrong_labels") and "in the support" in label for label in labels)
    assert "dirty supports, whose pixels are clean, are no corruptions" in text
    assert "dirty support" not in html(results(()))


def test_every_number_of_them_is_that_of_the_records() -> None:
    assert check_tables(results()) > check_tables(results(()))


def test_the_short_form_fits_with_a_column_more() -> None:
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(*short(results()), sep="\n")
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    row = next(line for line in text.splitlines() if line.strip().startswith("protonet"))
    assert row.split()[1:4] == ["90.0", "74.0", "26.0"]


def test_mlflow_counts_none_of_them_as_corrupted() -> None:
    made = make_results(eps=())
    one = shift_entry({"tasking": "label_noise", "severity": [1, 3, 5], "label": "gaussian_noise"})
    dirty = replace(made, study=made.study.model_copy(update={"shifts": (one,)}))
    keys = [{p.key for p in summary(accuracies(some, "maml"))} for some in (made, dirty)]
    assert keys[0] - keys[1] == {"summary/corrupted_acc"}
    assert keys[1] < keys[0]


def test_a_corruption_of_the_support_is_no_dirty_support() -> None:
    plain = results(())
    support = shift_entry({"corruption": "case_noise", "label": "case_noise", "place": "support"})
    study = plain.study.model_copy(update={"shifts": (support, *plain.study.shifts[1:])})
    found = findings(replace(plain, study=study))
    assert {p.condition for p in found.points} == {"clean", "severity", "eps"}
