"""The public folder: what a stranger derives from it, and what it refuses to become."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audit.entry import Draft
from audit.errors import IntegrityHalt
from audit.publish import Folder, Publisher
from runtime.postgres import open_pool
from tests.oracles.followers import Follower, NotAsPublished


def append(rig, count):
    rig.log.append([Draft(type="log.tested", actor="test", body={"n": n}) for n in range(count)], rig.now)
    while rig.integrator.step(rig.now):
        pass


@pytest.fixture
def public(tmp_path) -> Path:
    return tmp_path / "public"


@pytest.fixture
def publisher(rig, public) -> Publisher:
    return another(rig, public)


def another(rig, public) -> Publisher:
    return Publisher(rig.integrator_pool, public, rig.origin, [rig.signer.verifier])


def publish(publisher):
    while publisher.step():
        pass


def follow(rig, public):
    return Follower(public, rig.signer.verifier.vkey).read()


def test_nothing_is_published_of_an_empty_tree(publisher, public):
    assert not publisher.step()
    assert not (public / "checkpoint").exists()


def test_a_stranger_derives_everything_at_every_step(rig, publisher, public):
    size = 0
    for count in (1, 2, 252, 1, 1, 255, 300, 1):
        append(rig, count)
        size += count
        publish(publisher)
        found, entries = follow(rig, public)
        assert found == size
        assert entries == [rig.log.entry_at(index).canonical for index in range(size)]
    assert not publisher.step(), "nothing new, nothing written"


def test_partial_forms_go_a_publication_after_the_full_one_came(rig, publisher, public):
    append(rig, 200)
    publish(publisher)
    append(rig, 100)
    publish(publisher)
    assert (public / "tile/0/000.p/200").is_file(), "whoever read the checkpoint before still finds it"
    append(rig, 1)
    publish(publisher)
    assert not (public / "tile/0/000.p").exists()
    assert not (public / "tile/entries/000.p").exists()
    assert follow(rig, public)[0] == 301


def test_the_files_are_for_everybody_and_nothing_else_lies_there(rig, publisher, public):
    append(rig, 300)
    publish(publisher)
    names = sorted(str(path.relative_to(public)) for path in public.rglob("*") if path.is_file())
    assert names == [
        ".lock",
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/44",
    ]
    assert (public / "checkpoint").stat().st_mode & 0o444 == 0o444


def test_an_older_state_of_the_database_is_noticed(rig, publisher, public):
    append(rig, 5)
    publish(publisher)
    append(rig, 5)
    publish(publisher)
    rig.tamper("delete from audit.checkpoint where tree_size > 5; delete from audit.leaf where index >= 5")
    with pytest.raises(IntegrityHalt, match="a tree of 10 was published, the database has one of 5"):
        another(rig, public).step()
    rig.tamper("delete from audit.checkpoint; delete from audit.leaf")
    with pytest.raises(IntegrityHalt, match="has one of 0"):
        another(rig, public).step()
    assert follow(rig, public)[0] == 10, "the folder does not go back"


@pytest.mark.parametrize(
    "statement",
    [
        "update audit.leaf set leaf_hash = sha256('x') where index = 2",
        "update audit.tile set root = sha256('x')",
    ],
)
def test_a_tree_that_was_rewritten_is_noticed(rig, publisher, public, statement):
    append(rig, 257 if "tile" in statement else 5)
    publish(publisher)
    rig.tamper(statement)
    with pytest.raises(IntegrityHalt, match="history was rewritten"):
        publisher.step()


def test_an_entry_that_was_rewritten_is_not_published(rig, publisher, public):
    append(rig, 3)
    rig.tamper("update audit.entry set canonical = canonical || 'x'")
    with pytest.raises(IntegrityHalt, match="do not have the root"):
        publisher.step()
    assert not (public / "checkpoint").exists()
    rig.tamper("delete from audit.entry")
    with pytest.raises(IntegrityHalt, match="missing"):
        publisher.step()


def test_a_file_is_never_replaced_by_another_content(rig, publisher, public):
    append(rig, 3)
    publish(publisher)
    append(rig, 1)
    (public / "tile/0/000.p/4").write_bytes(b"somebody else's")
    with pytest.raises(IntegrityHalt, match=r"tile/0/000.p/4 was published with another content"):
        publisher.step()


@pytest.mark.parametrize(
    ("old", "new"), [("\n3\n", "\n2\n"), ("log.example", "elsewhere.example"), ("\n\n", "\n")]
)
def test_a_foreign_checkpoint_is_not_built_upon(rig, publisher, public, old, new):
    append(rig, 3)
    publish(publisher)
    file = public / "checkpoint"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(IntegrityHalt, match="published checkpoint"):
        publisher.step()


def test_two_publishers_take_turns(rig, publisher, public):
    append(rig, 700)
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            append(rig, 40)
            list(threads.map(publish, [another(rig, public) for _ in range(4)]))
    publish(publisher)
    assert follow(rig, public)[0] == 900


def test_who_finds_the_folder_taken_does_not_wait(rig, publisher, public):
    append(rig, 3)
    public.mkdir()
    with (public / ".lock").open("w") as taken:
        fcntl.flock(taken, fcntl.LOCK_EX)
        assert not publisher.step()
        assert not (public / "checkpoint").exists()
    assert publisher.step()


def test_a_reader_meanwhile_never_sees_a_half(rig, publisher, public):
    append(rig, 10)
    publish(publisher)
    ended = threading.Event()
    seen = []

    def read():
        while not ended.is_set():
            seen.append(follow(rig, public)[0])

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        for count in range(40):
            append(rig, 1 + count % 9)
            publish(publisher)
        ended.set()
        reading.result()
    assert seen == sorted(seen)


def _publish_in_a_child(url, public, origin, verifier, writes):
    """Publish until the given number of files is written, then die as with kill -9."""
    whole = Folder._write
    left = [writes]

    def counted(self, path, content):
        if not left[0]:
            os.kill(os.getpid(), 9)
        left[0] -= 1
        whole(self, path, content)

    Folder._write = counted
    pool = open_pool(url, max_size=1)
    publish(Publisher(pool, public, origin, [verifier]))
    pool.close()


@pytest.mark.parametrize("writes", [0, 1, 3, 5, 6])
def test_a_publisher_killed_anywhere_is_followed_by_one_that_resumes(rig, publisher, public, writes):
    append(rig, 260)
    publish(publisher)
    append(rig, 256)
    context = multiprocessing.get_context("spawn")
    arguments = (rig.database.url("integrator"), public, rig.origin, rig.signer.verifier, writes)
    child = context.Process(target=_publish_in_a_child, args=arguments)
    child.start()
    child.join(60)
    finished = child.exitcode == 0
    assert finished == (writes == 6), "five files and the checkpoint"
    assert follow(rig, public)[0] == (516 if finished else 260)
    publish(another(rig, public))
    assert follow(rig, public)[0] == 516


def test_a_folder_that_is_lost_is_made_again(rig, publisher, public):
    append(rig, 260)
    publish(publisher)
    shutil.rmtree(public)
    with pytest.raises(FileNotFoundError):
        follow(rig, public)
    publish(publisher)
    assert follow(rig, public)[0] == 260


def test_the_follower_itself_is_not_credulous(rig, publisher, public):
    append(rig, 300)
    publish(publisher)
    for name in ("tile/entries/000", "tile/0/000", "tile/1/000.p/1", "tile/0/001.p/44"):
        file = public / name
        kept = file.read_bytes()
        file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        with pytest.raises(NotAsPublished):
            follow(rig, public)
        file.write_bytes(kept)
    assert follow(rig, public)[0] == 300
