"""What a study shows, in sentences made from its numbers: who beats the baseline, who does not, by how much."""

from collections.abc import Sequence
from dataclasses import dataclass

from robustmeta.report.findings import CLEAN, EPS, SEVERITY, TASKS, Findings, Scored
from robustmeta.report.flags import warning
from robustmeta.report.text import enumerated, lead, percent, points
from robustmeta.shifts.shift import DRAWS, POISON

CONDITIONS = {
    CLEAN: "On clean images",
    SEVERITY: "Under corruptions, on average",
    TASKS: "With dirty supports, on average",
    EPS: "Under attacks, on average",
    POISON: "Under attacks on the support, on average",
    DRAWS: "With the worst of several clean supports, on average",
}


@dataclass(frozen=True)
class Statement:
    """What holds on one target."""

    target: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """What holds under one condition: in a sentence, and for each target, with what must be said beside it."""

    condition: str
    words: str
    lead: str
    statements: tuple[Statement, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Contest:
    """The learners that have a result on one target, against the baseline; best first."""

    baseline: str
    reference: Scored | None
    scores: dict[str, Scored]
    failed: tuple[str, ...]
    apart: tuple[str, ...]

    def those(self, sign: int) -> list[str]:
        """Learners above the baseline (1), below it (-1), or neither by the interval of their gain (0)."""
        return [name for name, scored in self.scores.items() if scored.gain.there and scored.gain.sign == sign]

    @property
    def outcome(self) -> int:
        """1: some learner wins. -1: all lose. 0: neither is shown."""
        return 1 if self.those(1) else -1 if len(self.those(-1)) == len(self.scores) else 0


def verdicts(found: Findings) -> tuple[Verdict, ...]:
    """What the study shows on clean, corrupted and attacked images and with dirty supports, as far as it has them."""
    conditions = {p.condition for p in found.points}
    return tuple(_verdict(found, one, words) for one, words in CONDITIONS.items() if one in conditions)


def _verdict(found: Findings, condition: str, words: str) -> Verdict:
    contests = {target: _contest(found, target, condition) for target in found.targets}
    statements = tuple(Statement(target, _statement(contest)) for target, contest in contests.items())
    points = [p for p in found.points if p.condition == condition]
    remarks = dict.fromkeys([*(t for p in points for t in p.notes), *warning(points)])
    return Verdict(condition, words, _lead(found, words, contests), statements, tuple(remarks))


def _contest(found: Findings, target: str, condition: str) -> Contest:
    scored = {n: found.over(n, target, condition) for n in found.at(target)}
    rivals = [n for n in _rivals(found) if n in scored]
    apart = [n for n in found.meta if n in scored and n not in rivals]
    there = [n for n in rivals if scored[n].score.there]
    there.sort(key=lambda n: -scored[n].score.mean)
    reference = scored.get(found.baseline)
    return Contest(
        baseline=found.baseline,
        reference=reference if reference and reference.score.there else None,
        scores={n: scored[n] for n in there},
        failed=tuple(n for n in rivals if not scored[n].score.there),
        apart=tuple(sorted(n for n in apart if scored[n].score.there)),
    )


def _lead(found: Findings, words: str, contests: dict[str, Contest]) -> str:
    if not found.baseline:
        return f"{words}: this study has no result of a baseline, so it cannot say whether meta-learning helps."
    fair = {target: c for target, c in contests.items() if c.reference and c.scores}
    if not any(c.reference or c.scores for c in contests.values()):
        return f"{words}: no result."
    if not fair:
        return f"{words}: nothing to compare with the {found.baseline} baseline."
    winners = {target: c.those(1) for target, c in fair.items() if c.outcome > 0}
    parts = [
        f"{enumerated(names)} beat{'s' * (len(names) == 1)} the baseline on {where}"
        for names, where in _grouped(winners)
    ]
    lost = [target for target, c in fair.items() if c.outcome < 0]
    parts += [f"the baseline beats {_every(found, [fair[t] for t in lost])} on {enumerated(lost)}"] if lost else []
    unclear = [target for target, c in fair.items() if c.outcome == 0]
    parts += [f"{_none(found)} shown to beat the baseline on {enumerated(unclear)}"] if unclear else []
    left = [target for target in contests if target not in fair]
    parts += [f"nothing to compare with on {enumerated(left)}"] if left else []
    return f"{words}: {'; '.join(parts)}.".replace("the baseline", f"the {found.baseline} baseline", 1)


def _grouped(winners: dict[str, list[str]]) -> list[tuple[list[str], str]]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for target, names in winners.items():
        groups.setdefault(tuple(names), []).append(target)
    return [(list(names), enumerated(targets)) for names, targets in groups.items()]


def _rivals(found: Findings) -> list[str]:
    """Those that are held against the baseline: the meta-learners of its kind, or the other baselines without any."""
    rivals = [n for n in found.learners if (n in found.meta if found.meta else n != found.baseline)]
    return [n for n in rivals if found.comparable(n)] if found.baseline else rivals


def _role(found: Findings) -> str:
    kind = "" if not found.transductive else "transductive " if found.baseline in found.transductive else "inductive "
    return kind + ("meta-learner" if found.meta else "other baseline")


def _every(found: Findings, contests: Sequence[Contest]) -> str:
    rivals = _rivals(found)
    measured = " that has a result" if any(c.failed for c in contests) else ""
    return rivals[0] if len(rivals) == 1 else f"every {_role(found)}{measured}"


def _none(found: Findings) -> str:
    rivals = _rivals(found)
    return f"{rivals[0]} is not" if len(rivals) == 1 else f"no {_role(found)} is"


def _statement(contest: Contest) -> str:
    if not (contest.scores or contest.reference or contest.apart):
        return "No result."
    sentences = [_best(contest)] if contest.scores else []
    if contest.reference and not contest.scores:
        sentences.append(f"The {contest.baseline} baseline reaches {percent(contest.reference.score)}.")
    rest = list(contest.scores)[1:] if contest.reference else []
    for sign, words in (
        (1, "Also better than the baseline"),
        (0, "No difference shown"),
        (-1, "Worse than the baseline"),
    ):
        named = [f"{n} ({points(contest.scores[n].gain)})" for n in contest.those(sign) if n in rest]
        sentences += [f"{words}: {enumerated(named)}."] if named else []
    if contest.baseline and not contest.reference:
        sentences.append(f"The {contest.baseline} baseline has no result.")
    sentences += [f"No result: {enumerated(contest.failed)}."] if contest.failed else []
    if contest.apart:
        sentences.append(f"Not compared, as only one of the two is transductive: {enumerated(contest.apart)}.")
    return " ".join(sentences)


def _best(contest: Contest) -> str:
    name, scored = next(iter(contest.scores.items()))
    reached = f"{name} reaches {percent(scored.score)}"
    if contest.reference is None or not scored.gain.there:
        return f"{reached}."
    both = f"{reached}; the {contest.baseline} baseline {percent(contest.reference.score)}"
    if not scored.gain.sign:
        return f"{both}: no difference shown ({points(scored.gain)})."
    winner = name if scored.gain.sign > 0 else "the baseline"
    return f"{both}: {winner} wins by {lead(scored.gain)}."
