"""`meshaccel import` against a real registry."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run, summary, tool, write_lines
from tests.service import Service

from meshaccel.cli import lines, uploads

RECORDS = [{"agent_id": f"agent-{number}", "name": f"Agent {number}"} for number in range(30)]


@pytest.mark.usefixtures("registry")
def test_created_updated_unchanged(run: Run, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a.jsonl", RECORDS)
    assert run("import", str(file)).stdout == summary(30, created=30)
    assert run("import", str(file)).stdout == summary(30, unchanged=30)
    changed = [record | {"version": "2"} for record in RECORDS[:10]]
    write_lines(file, changed + RECORDS[10:])
    result = run("import", str(file), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "agents": 30,
        "created": 0,
        "updated": 10,
        "unchanged": 20,
        "failed": 0,
    }
    assert not result.stderr


@pytest.mark.usefixtures("registry")
def test_files_are_known_by_their_content(run: Run, tmp_path: Path) -> None:
    """Packed or not, whatever their names say; a byte order mark and blank lines are nothing."""
    packed, plain = tmp_path / "packed.jsonl", tmp_path / "plain.gz"
    packed.write_bytes(gzip.compress(b'{"agent_id": "a"}\n\n  \r\n{"agent_id": "b"}'))
    plain.write_bytes(b'\xef\xbb\xbf{"agent_id": "c"}\r\n\n{"agent_id": "d"}\r\n')
    assert run("import", str(packed), str(plain)).stdout == summary(4, created=4)
    ids = [agent["id"] for agent in json.loads(run("list", "--json").stdout)]
    assert ids == ["a", "b", "c", "d"]


@pytest.mark.usefixtures("registry")
def test_the_last_record_of_an_agent_stays(run: Run, tmp_path: Path) -> None:
    """Requests are sent in parallel, but those of one agent in their order."""
    versions = ({"agent_id": "a", "version": str(number)} for number in range(50))
    file = write_lines(tmp_path / "a.jsonl", versions)
    assert run("import", str(file)).stdout == summary(50, created=1, updated=49)
    assert json.loads(run("show", "a", "--json").stdout)["version"] == "49"


BAD_LINES = [
    (b"{", "not an agent record: Input data was truncated"),
    (b"[]", "not an agent record: Expected `object`, got `array`"),
    (b'{"agent_id": "a"} x', "not an agent record: JSON is malformed"),
    (b'{"name": "nobody"}', "not an agent record: Object missing required field `agent_id`"),
    (b'{"agent_id": ""}', "not an agent record: Expected `str` of length >= 1 - at `$.agent_id`"),
    (b'{"agent_id": 7}', "not an agent record: Expected `str`, got `int` - at `$.agent_id`"),
    (b'{"agent_id": "a", "x": "\xff"}', "not UTF-8: invalid start byte at byte 25 of the line"),
    (b'{"agent_id": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    (b'{"agent_id": "a", "tags": "t"}', "Invalid JSON payload: Expected `array | null`"),
    (b'{"agent_id": "a\\u001b[2J"}', "agent_id: must be 1 to 253 printable characters"),
    (b'{"agent_id": "alive"}', "alive is a living agent: it speaks for itself"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_is_reported_and_the_others_imported(
    run: Run, heartbeat: Callable[..., None], tmp_path: Path, bad: bytes, reason: str
) -> None:
    heartbeat("alive", tool("t"))
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(b'{"agent_id": "one"}\n\n' + bad + b'\n{"agent_id": "two"}\n')
    result = run("import", str(file))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{file}:3: {reason}")
    assert result.stderr.count("\n") == 1
    assert result.stderr.removesuffix("\n").isprintable()
    assert result.stdout == summary(3, created=2, failed=1)
    ids = [agent["id"] for agent in json.loads(run("list", "--json").stdout)]
    assert ids == ["alive", "one", "two"]


def test_a_record_larger_than_the_registry_takes(server: Service, run: Run, tmp_path: Path) -> None:
    """The registry may cut off the connection before it has read all."""
    sizes = (10, 2000, 20_000_000)
    records = [{"agent_id": f"a{size}", "description": "x" * size} for size in sizes]
    file = write_lines(tmp_path / "large.jsonl", [*records, {"agent_id": "last"}])
    with server.open(tmp_path / "registry.db", max_body=1000):
        result = run("import", str(file))
    assert result.stdout == summary(4, created=2, failed=2)
    reports = result.stderr.splitlines()
    assert reports[0] == f"{file}:2: the body is larger than 1000 bytes"
    assert reports[1].startswith(f"{file}:3: ")


@pytest.mark.usefixtures("registry")
def test_a_line_without_end_is_not_held(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 1000)
    monkeypatch.setattr(uploads, "MAX_LINE", 1000)
    file = tmp_path / "endless.jsonl"
    file.write_bytes(b'{"agent_id": "a"}\n' + b"x" * 3_000_000 + b'\n{"agent_id": "b"}\n')
    result = run("import", str(file))
    assert result.stderr == f"{file}:2: too large: the line is longer than 1000 bytes\n"
    assert result.stdout == summary(3, created=2, failed=1)


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:30] + b"x" * 99])
def test_a_damaged_archive(run: Run, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """What could be read is imported, and so is the next file."""
    file, after = tmp_path / "a.gz", tmp_path / "b.jsonl"
    text = "".join(json.dumps(record) + "\n" for record in RECORDS)
    file.write_bytes(damage(gzip.compress(text.encode())))
    write_lines(after, [{"agent_id": "after"}])
    result = run("import", str(file), str(after))
    assert result.exit_code == 1
    assert f"{file}:" in result.stderr
    assert "cannot be read: " in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout.endswith(" 1 failed\n")
    assert run("show", "after").exit_code == 0


@pytest.mark.usefixtures("registry")
def test_nothing_to_import(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    result = run("import", str(tmp_path / "empty"))
    assert (result.exit_code, result.stdout) == (0, summary(0))


def test_usage_errors(run: Run, tmp_path: Path) -> None:
    for arguments in ([], [str(tmp_path / "absent")], [str(tmp_path)]):
        result = run("import", *arguments)
        assert result.exit_code == 2
        assert "Usage: " in result.stderr
