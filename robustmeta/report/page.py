"""The report: one HTML file that needs nothing else, made from the records alone."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from robustmeta.config.attacking import over_steps
from robustmeta.config.study import Study
from robustmeta.report import facts, figures, grid, images, layout
from robustmeta.report.certified import Certificates, certificates
from robustmeta.report.findings import ACCURACY, Findings, findings
from robustmeta.report.headline import Verdict, verdicts
from robustmeta.report.instances import Instances, instances
from robustmeta.store.palette import colours
from robustmeta.store.results import Results


@dataclass(frozen=True)
class Part:
    """The tables of one target: accuracy in short and in full, and every other metric."""

    target: str
    short: tuple[grid.Table, ...]
    full: tuple[grid.Table, ...]
    others: tuple[grid.Table, ...]


@dataclass(frozen=True, eq=False)
class Page:
    """All that the template prints."""

    results: Results
    found: Findings
    colours: dict[str, str]
    verdicts: tuple[Verdict, ...]
    overview: tuple[grid.Table, ...]
    sets: facts.Listing | None
    stability: facts.Listing | None
    instances: Instances | None
    certificates: Certificates | None
    parts: tuple[Part, ...]
    curves: tuple[figures.Strip, ...]
    training: tuple[figures.Panel, ...]
    sheets: tuple[images.Sheet, ...]
    protocol: dict[str, str]
    listings: tuple[facts.Listing, ...]
    honesty: facts.Listing | None
    costs: facts.Listing | None
    tuning: facts.Listing | None
    study: str
    chance: str
    shape: str


def page(results: Results) -> Page:
    """What the report of a study says."""
    study, found = results.study, findings(results)
    palette = colours([one.label for one in (*study.learners, *study.baselines)])
    tasks = [study.evaluation.at(t) for t in study.targets]
    shapes = [f"{e.way}-way {e.shot}-shot" for e in tasks]
    chances = {t.label: 1 / study.evaluation.at(t).way for t in study.targets}
    return Page(
        results=results,
        found=found,
        colours=palette,
        verdicts=verdicts(found),
        overview=tuple(layout.overview(found, kind, names) for kind, names in found.kinds()),
        sets=facts.sets(results, found),
        stability=facts.stability(results, found),
        instances=instances(results, palette),
        certificates=certificates(results, found, palette),
        parts=tuple(_part(found, target) for target in found.targets),
        curves=figures.shift_curves(found, palette, chances, over_steps(study.shifts)),
        training=figures.training_curves(results.training, palette, _checked_on(study)),
        sheets=images.sheets(results, found),
        protocol=facts.protocol(results, found),
        listings=(*([facts.strengths(study, found)] if study.shifts else []), facts.learners(study)),
        honesty=facts.honesty(results),
        costs=facts.costs(results.costs),
        tuning=facts.tuning(results.tuning),
        study=facts.resolved(study),
        chance=" or ".join(dict.fromkeys(f"{100 * c:.3g}%" for c in chances.values())),
        shape=" or ".join(dict.fromkeys(shapes)),
    )


def _checked_on(study: Study) -> str:
    """What checkpoints are measured on while training."""
    return "the targets (oracle)" if study.validation.select == "target_oracle" else "source validation"


def _part(found: Findings, target: str) -> Part:
    def tables(metric: str, *, every: bool) -> tuple[grid.Table, ...]:
        kinds = [
            (kind, there) for kind, names in found.kinds() if (there := [n for n in names if n in found.at(target)])
        ]
        return tuple(layout.by_shift(found, target, kind, names, metric, every=every) for kind, names in kinds)

    others = [m for m in found.metrics if m != ACCURACY]
    return Part(
        target=target,
        short=tables(ACCURACY, every=False),
        full=tables(ACCURACY, every=True),
        others=tuple(t for m in others for t in tables(m, every=True)),
    )


def html(results: Results) -> str:
    """The report of a study as one HTML document; the same results give the same bytes."""
    css = files("robustmeta.report").joinpath("report.css").read_text("utf-8")
    return _template().render(page=page(results), css=Markup(css))


def write(results: Results, path: Path) -> None:
    """Write the report of a study to a file."""
    path.write_text(html(results), encoding="utf-8")


@cache
def _template() -> Template:
    loader = PackageLoader("robustmeta", "report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")
