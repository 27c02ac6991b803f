"""A folder on any file system that fsspec knows, private where the system has such modes."""

from collections.abc import Iterable
from pathlib import Path

from fsspec.core import url_to_fs

from flows.workspace import make_private, private_files


class Place:
    """A folder named by a path or a URL, such as `s3://bucket/nadir`."""

    def __init__(self, url: str) -> None:
        """Nothing is made or looked at yet."""
        self.url = url.rstrip("/")
        self._files, root = url_to_fs(self.url)
        self._root = str(root)
        self._is_local = "file" in (
            self._files.protocol if isinstance(self._files.protocol, tuple) else (self._files.protocol,)
        )

    def inside(self, name: str) -> "Place":
        """A folder in it."""
        return Place(f"{self.url}/{name}")

    def send(self, folder: Path, names: Iterable[str]) -> None:
        """Copy these files of a local folder into this one."""
        self._make()
        with private_files():
            for name in names:
                self._files.put_file(str(folder / name), f"{self._root}/{name}")

    def fetch(self, folder: Path, names: Iterable[str]) -> None:
        """Copy these files of this folder into a local one."""
        make_private(folder)
        with private_files():
            for name in names:
                self._files.get_file(f"{self._root}/{name}", str(folder / name))

    def clear(self) -> None:
        """Remove it with all that is in it; it need not be there."""
        if self._files.exists(self._root):
            self._files.rm(self._root, recursive=True)

    def _make(self) -> None:
        if self._is_local:
            make_private(Path(self._root))
        else:
            self._files.makedirs(self._root, exist_ok=True)
