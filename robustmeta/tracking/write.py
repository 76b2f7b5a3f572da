"""Writes the runs of a study through MLflow's client: what is there and right is left alone."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Experiment, InputTag, Metric, Param, RunTag
from mlflow.entities import Run as Stored

from robustmeta.store.results import Results
from robustmeta.tracking import Tracked
from robustmeta.tracking.client import artifact_location, connect, tracking_uri
from robustmeta.tracking.flags import PREFIX
from robustmeta.tracking.runs import DIVERGED, DataSet, Run, data_sets, learner_runs, report_run
from robustmeta.tracking.views import NOTE_TAG, curves_link, note, report_link, table_link, views

CONTENT, ARTIFACTS = "robustmeta.content", "robustmeta.artifacts"
STUDY, PARENT = "robustmeta.study", "mlflow.parentRunId"
OURS = ("robustmeta.", PREFIX)


def write(results: Results, root: Path, artifacts: Mapping[str, Path]) -> Tracked:
    """See ``robustmeta.tracking.sync``."""
    with connect(root) as client:
        study = results.study
        experiment = _experiment(client, study.name, artifact_location(root, study.name))
        writer = _Writer(client, experiment, data_sets(study))
        runs = list(learner_runs(results))
        for learner, seeds in reversed(runs):  # MLflow lists the newest first
            parent = writer.put(learner)
            for seed in seeds:
                writer.put(seed, parent)
        report = writer.put(report_run(results))
        writer.attach(report, artifacts)
        writer.delete_others()
        keys = {point.key for learner, seeds in runs for run in (learner, *seeds) for point in run.points}
        tags = views(study, keys, report_run(results).end) | {
            NOTE_TAG: note(results, experiment, report),
            STUDY: study.name,
        }
        _tag_experiment(client, experiment, tags)
    links = curves_link(experiment), table_link(experiment), report_link(experiment, report)
    return Tracked(tracking_uri(root), experiment, report, *links)


def _experiment(client: MlflowClient, name: str, location: str | None) -> str:
    """The study's experiment; one whose artifacts are elsewhere, because the folder was moved, is put aside."""
    found: Experiment | None = client.get_experiment_by_name(name)
    if found and location and found.artifact_location != location:
        client.rename_experiment(found.experiment_id, f"{name} (moved, {found.experiment_id})")
        client.delete_experiment(found.experiment_id)
        found = None
    if found is None:
        return client.create_experiment(name, location)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def _tag_experiment(client: MlflowClient, experiment: str, tags: Mapping[str, str]) -> None:
    there = client.get_experiment(experiment).tags
    for key, value in tags.items():
        if there.get(key) != value:
            client.set_experiment_tag(experiment, key, value)


class _Writer:
    """Puts runs into one experiment; knows which of those it found have been asked for."""

    def __init__(self, client: MlflowClient, experiment: str, inputs: list[DataSet]) -> None:
        self.client, self.experiment, self.inputs = client, experiment, inputs
        self.found = {run.info.run_id: run for run in _all_runs(client, experiment)}

    def put(self, run: Run, parent: str = "") -> str:
        """Make a run be there, once, with this content; its id."""
        tags = {**run.tags, CONTENT: run.content(), **({PARENT: parent} if parent else {})}
        stored = self._take(tags)
        if stored is None:
            return self._create(run, tags)
        self._retag(stored, tags)
        if stored.info.status != _status(run):
            self.client.set_terminated(stored.info.run_id, _status(run), run.end or None)
        return stored.info.run_id

    def _take(self, tags: Mapping[str, str]) -> Stored | None:
        keys = ("robustmeta.kind", "robustmeta.learner", "robustmeta.seed", CONTENT)
        for run_id, run in self.found.items():
            if all(run.data.tags.get(k) == tags.get(k) for k in keys):
                return self.found.pop(run_id)
        return None

    def _create(self, run: Run, tags: Mapping[str, str]) -> str:
        early = {k: v for k, v in tags.items() if k != CONTENT}
        run_id: str = self.client.create_run(self.experiment, run.start or None, early, run.name).info.run_id
        if run.params:
            self.client.log_inputs(run_id, [_input(data) for data in self.inputs])
        metrics = [Metric(p.key, p.value, p.time, p.step) for p in run.points]
        self.client.log_batch(run_id, metrics, [Param(k, v) for k, v in run.params.items()])
        self.client.set_terminated(run_id, _status(run), run.end or None)
        # last: a run that was left half written has no content to be found by, and is deleted
        self.client.set_tag(run_id, CONTENT, tags[CONTENT])
        return run_id

    def _retag(self, stored: Stored, tags: Mapping[str, str]) -> None:
        there: dict[str, str] = stored.data.tags
        changed = [RunTag(k, v) for k, v in tags.items() if there.get(k) != v]
        if changed:
            self.client.log_batch(stored.info.run_id, tags=changed)
        for key in there:
            if (key.startswith(OURS) or key == DIVERGED) and key not in tags and key != ARTIFACTS:
                self.client.delete_tag(stored.info.run_id, key)

    def attach(self, run_id: str, artifacts: Mapping[str, Path]) -> None:
        """Keep the files with a run, unless these very bytes are there."""
        digest = hashlib.sha256()
        for name, path in sorted(artifacts.items()):
            digest.update(f"{name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
        if self.client.get_run(run_id).data.tags.get(ARTIFACTS) == digest.hexdigest():
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, path in artifacts.items():
                shutil.copyfile(path, Path(folder) / name)
            self.client.log_artifacts(run_id, folder)
        self.client.set_tag(run_id, ARTIFACTS, digest.hexdigest())

    def delete_others(self) -> None:
        """Remove the runs of ours that the study no longer asks for, or that hold something else."""
        for run_id in self.found:
            self.client.delete_run(run_id)


def _all_runs(client: MlflowClient, experiment: str) -> Iterator[Stored]:
    token = None
    while True:
        page = client.search_runs([experiment], "tags.`robustmeta.kind` LIKE '%'", max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _status(run: Run) -> str:
    return "FAILED" if run.failed else "FINISHED"


def _input(data: DataSet) -> DatasetInput:
    dataset = Dataset(data.name, data.digest, "robustmeta", data.origin)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", data.context)])
