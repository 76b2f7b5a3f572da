"""Which installed distribution a module is imported from, and under what licence; nothing is imported to tell."""

import importlib.util
import json
import re
from base64 import urlsafe_b64encode
from functools import cache
from hashlib import sha256
from importlib.metadata import Distribution, distributions
from pathlib import Path

INSTALL = {"albumentations": "albumentations==2.0.8", "nrtk": "robustmeta[nrtk]", "timm": "robustmeta[timm]"}
"""Libraries whose functions are named by a prefix, or by a component of their name: what to give to pip."""

_EXPECTED = {
    "albumentations": "neither albumentations up to 2.0.8 nor its fork nrtk-albumentations, which are MIT",
    "nrtk": "not nrtk, which is Apache-2.0",
    "timm": "not timm, which is Apache-2.0",
}
_LICENCES = {"albumentations": "MIT", "nrtk-albumentations": "MIT", "nrtk": "Apache-2.0", "timm": "Apache-2.0"}
_OTHERS = {"albumentationsx": "AGPL-3.0 or commercial"}
_LAST_MIT = (2, 0, 8)  # of albumentations


def file_of(top: str) -> Path | None:
    """The file that a top-level module is, or would be, imported from."""
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a module made by hand, such as __main__
        return None
    return Path(spec.origin).resolve() if spec and spec.origin and spec.has_location else None


@cache
def owner(top: str) -> Distribution | None:
    """The distribution whose file a top-level module is imported from; None where no record says so.

    Several may claim the import name, even in one folder: the one whose recorded hashes the files have it is.
    """
    file = file_of(top)
    if file is None:
        return None
    site = file.parent.parent if file.stem == "__init__" else file.parent
    line = f"\n{file.relative_to(site).as_posix()},"
    claims = [d for d in distributions(path=[str(site)]) if line in "\n" + (d.read_text("RECORD") or "")]
    if len(claims) > 1:
        return min(claims, key=lambda found: _changed(found, top))
    return claims[0] if claims else next((d for d in distributions() if _develops(d, top, file)), None)


def _changed(found: Distribution, top: str) -> int:
    """How many of its files of that module are not as it recorded them."""
    recorded = [f for f in found.files or () if f.parts[0] == top and f.hash and f.hash.mode == "sha256"]
    return sum(not Path(f.locate()).is_file() or _digest(Path(f.locate())) != f.hash.value for f in recorded if f.hash)


def _digest(file: Path) -> str:
    return urlsafe_b64encode(sha256(file.read_bytes()).digest()).rstrip(b"=").decode()


def _develops(found: Distribution, top: str, file: Path) -> bool:
    """Whether it was installed in place (``pip install -e``) from a folder that holds the file."""
    direct = json.loads(found.read_text("direct_url.json") or "{}")
    folder = Path(direct.get("url", "").removeprefix("file://"))
    editable = direct.get("dir_info", {}).get("editable", False)
    return editable and file.is_relative_to(folder) and top in (found.read_text("top_level.txt") or "").split()


def named(found: Distribution) -> str:
    """Its name and version."""
    return f"{found.name} {found.version}"


def library(top: str) -> str:
    """A library of ``INSTALL`` for people: the distribution that is imported, its licence, a word if it is another."""
    file, found = file_of(top), owner(top)
    if file is None:
        return f"{top} is not installed: pip install '{INSTALL[top]}'"
    if found is None:
        return f"{file}, of no installed distribution (licence unknown; it may be {_EXPECTED[top]})"
    name = re.sub(r"[-_.]+", "-", found.name).lower()
    version = tuple(int(part) for part in re.findall(r"\d+", found.version)[:3])
    if name in _LICENCES and not (name == "albumentations" and version > _LAST_MIT):
        return f"{named(found)} ({_LICENCES[name]})"
    return f"{named(found)} ({_OTHERS.get(name, 'licence unknown')}; it is {_EXPECTED[top]})"
