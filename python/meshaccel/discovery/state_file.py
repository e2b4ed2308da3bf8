"""What a discovery client holds, on disk: read whole or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from meshaccel.content import DIGEST_BYTES, digest_bytes
from meshaccel.discovery.convergence import hash_text
from meshaccel.discovery.phases import Position
from meshaccel.discovery.protocol import Upsert
from meshaccel.discovery.records import Records
from meshaccel.errors import MeshAccelError
from meshaccel.metadata import MetadataPool
from meshaccel.models import AgentStatus

_MAGIC = b"mesh-discovery-1"


class _SavedAgent(Struct, frozen=True, array_like=True):
    id: str
    revision: int
    status: AgentStatus
    document: bytes


class _Saved(Struct, frozen=True, array_like=True):
    selector: str
    epoch: str
    revision: int
    hash: str
    agents: list[_SavedAgent]


class Restored(Struct, frozen=True):
    """What was held, and up to where."""

    records: Records
    position: Position


def packed(records: Records, position: Position, *, selector: str) -> bytes:
    """Return what is held as a file's content."""
    payload = msgspec.msgpack.encode(
        _Saved(
            selector,
            position.epoch,
            position.revision,
            hash_text(records.hash.total),
            [
                _SavedAgent(agent.id, agent.revision, agent.status, agent.record.to_json())
                for agent in records
            ],
        )
    )
    return _head(payload) + payload


def unpacked(content: bytes, pool: MetadataPool, *, selector: str) -> Restored | None:
    """Read a file's content; None if it is not all there, or for another selector.

    Also if it is of another version: what it holds is only worth a snapshot.
    """
    payload = content[len(_MAGIC) + DIGEST_BYTES :]
    if content[: len(_MAGIC) + DIGEST_BYTES] != _head(payload):
        return None
    try:
        saved = msgspec.msgpack.decode(payload, type=_Saved)
        records = Records(pool)
        records.apply(
            records.plan(
                Upsert(agent.id, agent.revision, agent.status, msgspec.Raw(agent.document))
                for agent in saved.agents
            )
        )
    except (msgspec.MsgspecError, MeshAccelError):
        return None
    # The hash is worked out from the documents: this version reads them as they were meant.
    if saved.selector != selector or saved.hash != hash_text(records.hash.total):
        return None
    return Restored(records, Position(saved.epoch, saved.revision))


def save(path: Path, records: Records, position: Position, *, selector: str) -> None:
    """Put the records and their position in the place of what the file held, in one step.

    Whatever happens meanwhile, the file holds the one or the other.

    Raises:
        OSError: it cannot be written; it holds what it held.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(packed(records, position, selector=selector))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def load(path: Path, pool: MetadataPool, *, selector: str) -> Restored | None:
    """Return what was saved, or None if there is no file, or none that is of use."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return unpacked(content, pool, selector=selector)


def _head(payload: bytes) -> bytes:
    return _MAGIC + digest_bytes(payload)
