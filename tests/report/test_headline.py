import math

import pytest
from report_cases import case

from robustmeta.report.findings import findings
from robustmeta.report.headline import verdicts


def scores(**means: float):
    """The same accuracy everywhere for each learner."""
    return lambda learner, target, shift, value: means[learner]


def clean(accuracy, targets=("handwriting",), **shape):
    return verdicts(findings(case(accuracy, targets=targets, **shape)))[0]


def test_the_baseline_wins_and_the_page_says_so() -> None:
    found = clean(scores(protonet=0.912, supervised=0.93), learners=("protonet",))
    assert found.lead == "On clean images: the supervised baseline beats protonet on handwriting."
    assert found.statements[0].text == (
        "protonet reaches 91.2% [90.2, 92.2]; the supervised baseline 93.0% [92.0, 94.0]: "
        "the baseline wins by 1.8 points [1.3, 2.3]."
    )


def test_a_learner_wins() -> None:
    found = clean(scores(maml=0.9, protonet=0.95, supervised=0.93))
    assert found.lead == "On clean images: protonet beats the supervised baseline on handwriting."
    assert "protonet wins by 2.0 points [1.5, 2.5]." in found.statements[0].text
    assert "Worse than the baseline: maml (−3.0 points [−3.5, −2.5])." in found.statements[0].text


def test_no_difference_is_called_no_difference() -> None:
    found = clean(scores(maml=0.9, protonet=0.932, supervised=0.93))
    assert found.lead == "On clean images: no meta-learner is shown to beat the supervised baseline on handwriting."
    assert "no difference shown (+0.2 points [−0.3, +0.7])" in found.statements[0].text


def test_all_lose() -> None:
    found = clean(scores(maml=0.8, protonet=0.9, supervised=0.93))
    assert found.lead == "On clean images: the supervised baseline beats every meta-learner on handwriting."


def test_targets_are_told_apart() -> None:
    def accuracy(learner: str, target: str, shift: str, value: float) -> float:
        return 0.9 if learner == "supervised" else {"a": 0.95, "b": 0.8, "c": 0.901}[target]

    found = clean(accuracy, targets=("a", "b", "c"))
    assert found.lead == (
        "On clean images: maml and protonet beat the supervised baseline on a; "
        "the baseline beats every meta-learner on b; no meta-learner is shown to beat the baseline on c."
    )


@pytest.mark.parametrize("gain", [-0.03, 0.0, 0.03])
def test_conditions_are_judged_each_by_its_own_average(gain: float) -> None:
    def accuracy(learner: str, target: str, shift: str, value: float) -> float:
        bonus = gain if learner != "supervised" and 0 < value < 1 else 0.01 * (value == 0)
        return 0.8 + bonus

    conditions = verdicts(findings(case(accuracy, learners=("protonet",), targets=("a",))))
    assert [v.condition for v in conditions] == ["clean", "severity", "eps"]
    words = {-0.03: "baseline beats protonet", 0.0: "protonet is not shown", 0.03: "protonet beats"}[gain]
    assert words in conditions[2].lead
    assert "protonet is not shown" in conditions[1].lead


def test_a_failed_learner_is_not_among_the_beaten() -> None:
    found = clean(scores(maml=math.nan, protonet=0.9, supervised=0.93))
    assert "the supervised baseline beats every meta-learner that has a result" in found.lead
    assert "No result: maml." in found.statements[0].text


def test_a_learner_of_the_other_kind_is_not_compared() -> None:
    found = clean(scores(maml=0.99, protonet=0.9, supervised=0.93), transductive=("maml",))
    assert found.lead == "On clean images: the supervised baseline beats protonet on handwriting."
    assert "maml" not in found.lead


def test_without_a_baseline_nothing_is_claimed() -> None:
    found = clean(scores(maml=0.99, protonet=0.9), baselines=())
    assert "cannot say whether meta-learning helps" in found.lead
    assert "99.0%" in found.statements[0].text


def test_a_failed_baseline_is_named() -> None:
    found = clean(scores(maml=0.99, protonet=0.9, supervised=math.nan))
    assert found.lead == "On clean images: nothing to compare with the supervised baseline."
    assert "The supervised baseline has no result." in found.statements[0].text


def test_a_target_without_a_comparison_is_not_passed_over() -> None:
    def accuracy(learner: str, target: str, shift: str, value: float) -> float:
        return math.nan if (learner, target) == ("supervised", "b") else {"supervised": 0.9}.get(learner, 0.8)

    found = clean(accuracy, targets=("a", "b"), learners=("protonet",))
    assert found.lead == "On clean images: the supervised baseline beats protonet on a; nothing to compare with on b."


def test_baselines_alone_are_compared_with_each_other() -> None:
    found = clean(scores(supervised=0.9, other=0.8), learners=(), baselines=("supervised", "other"))
    assert found.lead == "On clean images: the supervised baseline beats other on handwriting."


def test_what_concerns_the_numbers_is_said_beside_them() -> None:
    conditions = verdicts(findings(case()))
    assert [v.remarks for v in conditions] == [
        (),
        ("levels ink-28: ours, not a published table",),
        ("on the first 20 of 600 tasks",),
    ]
