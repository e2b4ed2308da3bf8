"""The file beside a database: when a history is another one, and when it is not."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from meshaccel.db.carrier import Carrier, History
from meshaccel.errors import DatabaseError, DatabaseReplacedError


def told(path: Path, *revisions: int, has: int = 0, epoch: str = "e") -> str:
    """Open, tell readers of some revisions, close; return the epoch."""
    with Carrier.open(str(path), lambda: History(epoch, has)) as carrier:
        for revision in revisions:
            carrier.told(revision)
        return carrier.epoch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a database that need not be there."""
    return tmp_path / "r.db"


def test_it_stays_with_its_database(path: Path) -> None:
    first = told(path, 5, 3)
    assert told(path, has=5) == first
    assert told(path, has=9) == first


def test_a_database_that_is_behind(path: Path) -> None:
    """Readers know of revision 5, and this revision 5 will be another one."""
    first = told(path, 5)
    second = told(path, 4, has=4)
    assert second != first
    # From now on the new history is the history.
    assert told(path, has=4) == second


def test_what_nobody_was_told_did_not_happen(path: Path) -> None:
    first = told(path, 3, has=9)
    assert told(path, has=3) == first


def test_another_database_in_its_place(path: Path) -> None:
    first = told(path, 5)
    other = told(path, has=1, epoch="other")
    assert other != first
    assert told(path, has=1, epoch="other") == other


def test_a_file_that_is_lost_or_damaged(path: Path) -> None:
    beside = Path(f"{path}-feed")
    known = {told(path, 5)}
    whole = beside.read_bytes()
    for damaged in (b"", whole[:-1], b"x" + whole[1:], whole[::-1]):
        beside.write_bytes(damaged)
        known.add(told(path, has=5))
    beside.unlink()
    known.add(told(path, has=5))
    assert len(known) == 6


def test_a_file_that_was_restored_too(path: Path) -> None:
    """A copy of the file is not the file."""
    beside, copy = Path(f"{path}-feed"), path.with_name("copy")
    first = told(path, 5)
    shutil.copy(beside, copy)
    copy.replace(beside)
    assert told(path, has=5) != first


def test_a_database_without_a_file() -> None:
    """In memory each one is a history of its own."""
    epochs = set()
    for _ in range(2):
        with Carrier.open(None, lambda: History("e", 0)) as carrier:
            carrier.told(7)
            epochs.add(carrier.epoch)
    assert len(epochs) == 2


def test_several_processes(path: Path) -> None:
    """Who was told less, later, takes nothing back; and all tell one history."""
    with Carrier.open(str(path), lambda: History("e", 0)) as one:
        with Carrier.open(str(path), lambda: History("e", 0)) as other:
            assert other.epoch == one.epoch
            one.told(9)
            other.told(5)
            other.told(6)
        assert told(path, has=9) == one.epoch
        assert told(path, has=8) != one.epoch
        # That one began another history; this one says nothing more of the former.
        with pytest.raises(DatabaseReplacedError, match="restart"):
            one.told(10)


def test_one_that_opens_while_another_tells(path: Path) -> None:
    """What is committed and told meanwhile must not look like a database that is behind."""
    committed = 0
    done = threading.Event()
    with Carrier.open(str(path), lambda: History("e", 0)) as running:

        def tell() -> None:
            nonlocal committed
            while not done.is_set():
                committed += 1
                running.told(committed)

        telling = threading.Thread(target=tell)
        telling.start()
        try:
            for _ in range(200):
                with Carrier.open(str(path), lambda: History("e", committed)) as opened:
                    assert opened.epoch == running.epoch
        finally:
            done.set()
            telling.join()


def test_a_folder_in_its_place(path: Path) -> None:
    os.mkdir(f"{path}-feed")  # noqa: PTH102  the name is what matters
    with pytest.raises(DatabaseError, match=r"r\.db-feed"):
        told(path)
