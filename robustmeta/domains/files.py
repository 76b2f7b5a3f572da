"""Image files in a folder or a zip: finding, hashing and decoding them, each dear step once."""

import hashlib
import io
import os
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, __version__

from robustmeta.core import DataError
from robustmeta.domains.cache import cached

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})


class Tree(ABC):
    """The images under a path. Each is named by the last three parts of its path, in a layout of three levels."""

    def __init__(self, root: Path, members: Iterator[str], stamp: str) -> None:
        self.root, self.stamp = root, stamp
        self.members: dict[str, str] = {}
        for member in sorted(members):
            parts = PurePosixPath(member).parts
            hidden = any(p.startswith((".", "__MACOSX")) for p in parts)
            if hidden or len(parts) < 3 or PurePosixPath(member).suffix.lower() not in SUFFIXES:
                continue
            name = "/".join(parts[-3:])
            if name in self.members:
                raise DataError(
                    f"{root}: {self.members[name]} and {member} are both {name}; point path: at one of them"
                )
            self.members[name] = member

    @abstractmethod
    def read(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The bytes of images."""

    @cached_property
    def hashes(self) -> dict[str, bytes]:
        """The sha256 of every image, computed again only where a size or a time of change differs."""
        rows = cached("hashes", self.stamp, lambda: np.stack([_sha256(data) for _, data in self.read([*self.members])]))
        return {name: row.tobytes() for name, row in zip(self.members, rows, strict=True)}

    def digest(self, names: Sequence[str]) -> str:
        """A hash over (name, bytes) of images, the same wherever they lie."""
        digest = hashlib.sha256()
        for name in names:
            digest.update(name.encode() + b"\0" + self.hashes[name])
        return digest.hexdigest()

    def decode(self, names: Sequence[str], size: int, channels: int) -> NDArray[np.uint8]:
        """uint8 (N, channels, size, size): the centre square, antialiased (Lanczos), gray or RGB."""
        key = f"{self.digest(names)} {size} {channels} {__version__}"
        return cached("images", key, lambda: np.stack([self._fit(*i, size, channels) for i in self.read(names)]))

    def _fit(self, name: str, data: bytes, size: int, channels: int) -> NDArray[np.uint8]:
        try:
            # to gray or RGB first: Pillow resizes images of 1 bit or with a palette without antialiasing
            image = Image.open(io.BytesIO(data)).convert("L" if channels == 1 else "RGB")
        except Exception as error:  # Pillow raises more than OSError for broken images
            raise DataError(
                f"{self.root}: {self.members[name]} is no readable image ({error}); mend or remove it"
            ) from error
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = (left, top, left + side, top + side)
        pixels = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS, box=box))
        return pixels.reshape(size, size, channels).transpose(2, 0, 1)


class Directory(Tree):
    """Images in a folder."""

    def __init__(self, root: Path) -> None:
        files = [Path(folder, f) for folder, _, names in os.walk(root, followlinks=True) for f in names]
        stats = [(f.relative_to(root).as_posix(), f.stat()) for f in sorted(files) if f.is_file()]
        listing = [(name, s.st_size, s.st_mtime_ns) for name, s in stats]
        super().__init__(root, iter([name for name, _ in stats]), repr((str(root), listing)))

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The bytes of images."""
        for name in names:
            try:
                data = (self.root / self.members[name]).read_bytes()
            except OSError as error:
                raise DataError(
                    f"{self.root}: {self.members[name]} cannot be read ({error}); mend or remove it"
                ) from error
            yield name, data


class Archive(Tree):
    """Images in a zip file."""

    def __init__(self, root: Path) -> None:
        with _opened(root) as archive:
            names = [i.filename for i in archive.infolist() if not i.is_dir()]
        stat = root.stat()
        super().__init__(root, iter(names), repr((str(root), stat.st_size, stat.st_mtime_ns)))

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The bytes of images."""
        with _opened(self.root) as archive:
            for name in names:
                yield name, archive.read(self.members[name])


@contextmanager
def _opened(path: Path) -> Generator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError) as error:
        raise DataError(
            f"{path} is no readable zip ({error}); get it again, or give path: the unpacked folder"
        ) from error


def open_tree(path: Path) -> Tree:
    """The images under a folder or in a zip; a relative path is looked up here, then under $ROBUSTMETA_DATA.

    Raises:
        DataError: nothing there, an unreadable zip, or no image at ``.../a/b/image``.
    """
    path = path.expanduser()
    places = [Path.cwd() / path, *(Path(d).expanduser() / path for d in [os.environ.get("ROBUSTMETA_DATA")] if d)]
    found = next((p.resolve() for p in places if p.exists()), None)
    if found is None:
        looked = " or ".join(dict.fromkeys(map(str, places)))
        raise DataError(f"no data at {looked}; set path: of the source, or ROBUSTMETA_DATA to the folder that holds it")
    tree = Directory(found) if found.is_dir() else Archive(found)
    if not tree.members:
        raise DataError(f"no images in {found}; expected folders of folders of images ({', '.join(sorted(SUFFIXES))})")
    return tree


def _sha256(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(hashlib.sha256(data).digest(), np.uint8)
