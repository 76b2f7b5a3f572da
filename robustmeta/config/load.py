"""Reads a study from its YAML file and reports everything that is wrong with it at once."""

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from robustmeta.config.explain import Written, explain
from robustmeta.config.overrides import Override, OverrideError, apply
from robustmeta.config.smoke import smoke as in_small
from robustmeta.config.study import Study
from robustmeta.config.yaml import Document, YamlError, read
from robustmeta.core import StudyError
from robustmeta.registry import ComponentError, load_file


class StudyErrors(StudyError):
    """Everything that is wrong with a study, one line an error: ``study.yaml:14:25: learners.0.x: unknown key``."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


def load_study(
    path: str | os.PathLike[str], overrides: Sequence[str] = (), plugins: Sequence[str] = (), *, smoke: bool = False
) -> Study:
    """A study from a YAML file, after ``key.path=value`` overrides. Plug-in files are run first.

    ``smoke``: the study in small, on drawn glyphs instead of its data.

    Raises:
        StudyErrors: the file, an override or a plug-in is wrong; its text lists all errors with their places.
    """
    _load_plugins(plugins)
    document = _document(os.fspath(path))
    written = _overridden(os.fspath(path), document, overrides)
    try:
        study = Study.model_validate(written.value)
    except ValidationError as error:
        raise StudyErrors(explain(error, written)) from None
    return in_small(study) if smoke else study


def _load_plugins(plugins: Sequence[str]) -> None:
    errors: list[str] = []
    for plugin in plugins:
        try:
            load_file(Path(plugin))
        except ComponentError as error:
            errors.append(str(error))
    if errors:
        raise StudyErrors(errors)


def _document(path: str) -> Document:
    try:
        document = read(Path(path).read_bytes())
    except OSError as error:
        raise StudyErrors([f"{path}: cannot read the study: {error.strerror}"]) from None
    except YamlError as error:
        raise StudyErrors([f"{path}:{error.position[0]}:{error.position[1]}: {error}"]) from None
    if not isinstance(document.value, dict):
        got = "an empty file" if document.value is None else f"a {type(document.value).__name__}"
        known = ", ".join(Study.model_fields)
        raise StudyErrors([f"{path}:1:1: expected a mapping with some of the keys {known}; got {got}"])
    return document


def _overridden(path: str, document: Document, overrides: Sequence[str]) -> Written:
    value: dict[str, Any] = copy.deepcopy(document.value)
    applied: list[Override] = []
    errors: list[str] = []
    for text in overrides:
        try:
            applied.append(apply(value, text))
        except OverrideError as error:
            errors.append(f"override {text}: {error}")
    if errors:
        raise StudyErrors(errors)
    return Written(path, value, document, applied)
