"""A registry's storage in memory: what `sample.storage.FolderStorage` is in a folder, and much faster."""

from __future__ import annotations

Node = dict[str, "Node | bytes"]


class MemoryStorage:
    """A tree of files; see `sample.storage.Storage`."""

    def __init__(self) -> None:
        self._root: Node = {}

    def read(self, path: str) -> bytes:
        found = self._find(path)
        if isinstance(found, bytes):
            return found
        raise IsADirectoryError(path)

    def write(self, path: str, data: bytes) -> None:
        folder, name = self._make_parent(path)
        if isinstance(folder.get(name), dict):
            raise IsADirectoryError(path)
        folder[name] = data

    def remove(self, path: str) -> None:
        self.read(path)
        folder, name = self._parent(path)
        del folder[name]

    def remove_tree(self, path: str) -> None:
        self._folder(path)
        folder, name = self._parent(path)
        del folder[name]

    def move(self, source: str, target: str) -> None:
        moved = self._find(source)
        folder, name = self._parent(source)
        target_folder, target_name = self._make_parent(target)
        del folder[name]
        target_folder[target_name] = moved

    def names(self, path: str) -> list[str]:
        return sorted(self._folder(path))

    def is_folder(self, path: str) -> bool:
        return self.exists(path) and isinstance(self._find(path), dict)

    def exists(self, path: str) -> bool:
        try:
            self._find(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def _find(self, path: str) -> Node | bytes:
        found: Node | bytes = self._root
        for name in _parts(path):
            if isinstance(found, bytes):
                raise NotADirectoryError(path)
            if name not in found:
                raise FileNotFoundError(path)
            found = found[name]
        return found

    def _folder(self, path: str) -> Node:
        found = self._find(path)
        if isinstance(found, bytes):
            raise NotADirectoryError(path)
        return found

    def _parent(self, path: str) -> tuple[Node, str]:
        above, _, name = path.rpartition("/")
        return self._folder(above), name

    def _make_parent(self, path: str) -> tuple[Node, str]:
        *above, name = _parts(path)
        folder = self._root
        for part in above:
            below = folder.setdefault(part, {})
            if isinstance(below, bytes):
                raise NotADirectoryError(path)
            folder = below
        return folder, name


def _parts(path: str) -> list[str]:
    return path.split("/") if path else []
