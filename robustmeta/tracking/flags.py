"""Honesty flags as tags of MLflow's runs: ``flag.<name>`` begins with warn, pass or not run."""

from robustmeta.config.flags import FLAGS, overall
from robustmeta.store.results import Results

PREFIX = "flag."


def flag_tags(results: Results, learner: str | None = None, seed: int | None = None) -> dict[str, str]:
    """What each flag says of the results under attacks of a learner, of one training seed; nothing without attacks.

    >>> # in MLflow's search: tags.`flag.zero_grad` LIKE 'warn%'
    """
    columns = ["learner", "seed", "flag", "status", "target", "shift", "eps", "text"]
    rows = [
        row
        for row in results.flags[columns].itertuples(index=False, name=None)
        if learner in (None, row[0]) and seed in (None, row[1])
    ]
    return {PREFIX + name: _said([row for row in rows if row[2] == name]) for name in FLAGS if rows}


def _said(rows: list[tuple[str, int, str, str, str, str, float, str]]) -> str:
    status = overall(row[3] for row in rows)
    count = sum(row[3] == status for row in rows)
    label, seed, _, _, target, shift, eps, text = next(row for row in rows if row[3] == status)
    where = f", {count} of {len(rows)} attacked results, {label} seed {seed} {target} {shift} eps {eps:g}"
    return f"{status}{where if status == 'warn' else ''}: {text}"[:5000]
