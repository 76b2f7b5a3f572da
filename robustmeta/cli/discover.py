"""What there is to use: names with a line of text, without importing anything of ours."""

import ast
import importlib.util
from pathlib import Path

from robustmeta.cli.output import table
from robustmeta.cli.plugins import checked
from robustmeta.registry import KINDS, ComponentError, Entry, unknown


def kind_of(word: str) -> str:
    """The kind that a word names; "learners" are methods.

    Raises:
        ComponentError: no such kind.
    """
    kind = {"learners": "methods"}.get(word, word)
    if kind not in KINDS:
        raise ComponentError(unknown(word, [*KINDS, "learners"], "kind"))
    return kind


def summary(entry: Entry) -> str:
    """The first line on a component, read from its source; its module is not imported."""
    module, _, attr = entry.target.partition(":")
    try:
        source = _source(module)
        tree = ast.parse(source.read_text(encoding="utf-8")) if source else ast.Module([], [])
    except (OSError, SyntaxError, ValueError):
        return ""
    docs = [doc for node in tree.body if (doc := _doc_of(node, attr))]
    return (docs or [ast.get_docstring(tree) or ""])[0].partition("\n")[0]


def _doc_of(node: ast.stmt, name: str) -> str:
    """The docstring of a class or function of that name, or the last text that an object of that name is made from."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
        return ast.get_docstring(node) or ""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.targets[0]) == name:
        texts = [a.value for a in node.value.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        return texts[-1] if texts else ""
    return ""


def listing(word: str | None) -> list[dict[str, str]]:
    """Name, origin and first line of the components of a kind, or of all; of a broken plug-in also its error."""
    kinds = KINDS if word is None else (kind_of(word),)
    found = [e for kind in kinds for e in checked(kind)]
    facts = [{"kind": e.kind, "name": e.name, "origin": e.origin} for e in found]
    return [f | {"summary": "" if e.error else summary(e), "error": e.error} for f, e in zip(facts, found, strict=True)]


def text(rows: list[dict[str, str]]) -> str:
    """The same for people: a table, and below it a line on every plug-in that cannot be used."""
    shown = [[r["kind"], r["name"], r["origin"], "broken, see below" if r["error"] else r["summary"]] for r in rows]
    broken = [f"broken: {r['kind']} {r['name']} of {r['origin']}: {r['error']}" for r in rows if r["error"]]
    return "\n".join([table(("KIND", "NAME", "ORIGIN", "WHAT"), shown), *broken])


def _source(module: str) -> Path | None:
    top, *inner = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not inner:
        return Path(spec.origin) if spec and spec.origin else None
    folders = [Path(p, *inner) for p in spec.submodule_search_locations or ()]
    files = [f for folder in folders for f in (folder.with_suffix(".py"), folder / "__init__.py")]
    return next((f for f in files if f.is_file()), None)
