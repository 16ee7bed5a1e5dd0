"""Damage does what its name says, and says so when there is nothing to damage."""

from pathlib import Path

import pytest

from sample import content as c
from sample import storage as layout
from sample.damage import Damage
from sample.storage import FolderStorage, Storage
from sample.store import store
from tests.parts.deeds import DEEDS, Deed
from tests.parts.memory_storage import MemoryStorage
from tests.parts.twins import tree

CONTENT = c.multi_platform("x", layers=1)
LAYER = CONTENT.manifests[0].layers[0].digest


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A storage with one image in it."""
    made: Storage = FolderStorage(tmp_path) if request.param == "folder" else MemoryStorage()
    store(made, "a/b", CONTENT, "latest")
    return made


@pytest.mark.parametrize("deed", DEEDS, ids=str)
def test_each_changes_something_once(storage: Storage, deed: Deed) -> None:
    """Every damage changes the storage; what removes finds nothing left to remove."""
    before = tree(storage)
    deed.do(Damage(storage), "a/b", CONTENT, "latest")
    assert tree(storage) != before
    if deed.operation.startswith("remove"):
        with pytest.raises(FileNotFoundError):
            deed.do(Damage(storage), "a/b", CONTENT, "latest")


@pytest.mark.parametrize("deed", DEEDS, ids=str)
def test_there_must_be_something_to_damage(deed: Deed, tmp_path: Path) -> None:
    for empty in (FolderStorage(tmp_path), MemoryStorage()):
        with pytest.raises(FileNotFoundError):
            deed.do(Damage(empty), "a/b", CONTENT, "latest")


@pytest.mark.parametrize("deed", DEEDS, ids=str)
def test_both_storages_are_damaged_alike(deed: Deed, tmp_path: Path) -> None:
    storages: list[Storage] = [FolderStorage(tmp_path), MemoryStorage()]
    for storage in storages:
        store(storage, "a/b", CONTENT, "latest")
        deed.do(Damage(storage), "a/b", CONTENT, "latest")
    assert tree(storages[0]) == tree(storages[1])


def test_data_is_cut_and_bent_as_asked(storage: Storage) -> None:
    whole = storage.read(layout.blob_data(LAYER))
    damage = Damage(storage)
    damage.flip_data(LAYER, 9)
    bent = storage.read(layout.blob_data(LAYER))
    assert [number for number, byte in enumerate(bent) if byte != whole[number]] == [1]
    assert bent[1] ^ whole[1] == 0b10
    damage.truncate_data(LAYER, 5)
    assert storage.read(layout.blob_data(LAYER)) == bent[:5]
    with pytest.raises(ValueError, match="would not truncate"):
        damage.truncate_data(LAYER, 5)


def test_a_storage_moved_away_comes_back_whole(storage: Storage) -> None:
    """Moving back gives up what was written meanwhile, as mounting over it does."""
    before, damage = tree(storage), Damage(storage)
    damage.move_storage_away()
    assert not storage.exists("docker")
    storage.write("docker/meanwhile", b"x")
    damage.move_storage_back()
    assert tree(storage) == before
    damage.move_storage_away()
    damage.move_storage_back()
    assert tree(storage) == before
