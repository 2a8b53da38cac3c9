"""`apus data`: the tools for the folder of a server, beside a running one and without."""

import asyncio
import contextlib
import json
import os
import random
import shutil

import pytest

from apus_e2e import TIMEOUT, Client, Server, apus
from extensions import configure, publish, publish_batch
from history import history

pytestmark = pytest.mark.one_server("it is about a server's own folder")

TOPIC = "orders"
PADDING = "x" * 30_000


def data(command, *arguments, code=0, **options):
    """Runs `apus data COMMAND`, which has to exit with the code."""
    result = apus("data", command, *map(str, arguments), timeout=10 * TIMEOUT, **options)
    assert result.returncode == code, (result.returncode, result.stdout[-2000:], result.stderr[-2000:])
    return result


def exported(folder, *arguments):
    return [json.loads(line) for line in data("export", folder, *arguments).stdout.splitlines()]


def segments(folder):
    return sorted(path for path in (folder / "segments").iterdir() if path.suffix == ".seg" and path.stat().st_size)


async def test_the_tools_work_beside_a_storm_and_a_backup_has_what_was_acked_before_it(tmp_path):
    folder, acked, backups = tmp_path / "data", 0, []

    async def storm(client):
        nonlocal acked
        for number in range(100_000):
            batch = [{"number": number, "padding": PADDING} for _ in range(20)]
            _, outcome = await publish_batch(client, "large", batch, outcome=True)
            _, outcome = await publish(client, TOPIC, number, key=f"k{number % 7}")
            acked = outcome["offset"]

    with Server("--data", str(folder)) as server:
        configure(server, TOPIC, history=1_000_000)
        # Full segments go all the time, and the small topic's messages are moved.
        configure(server, "large", history=100)
        async with await Client.open(server) as client:
            storming = asyncio.create_task(storm(client))
            for number in range(5):
                before = acked
                while acked < before + 60:
                    await asyncio.sleep(0.01)
                    assert not storming.done()
                before, target = acked, tmp_path / f"backup{number}"
                assert "all is well" in (await asyncio.to_thread(data, "check", folder)).stdout
                await asyncio.to_thread(data, "backup", folder, target)
                backups.append((target, before))
                stats = json.loads((await asyncio.to_thread(data, "stats", folder, "--json")).stdout)
                shown = {topic["topic"]: topic for topic in stats["topics"]}
                assert shown[TOPIC]["messages"] >= before
                lines = await asyncio.to_thread(exported, folder, TOPIC)
                assert [line["offset"] for line in lines[1:]] == list(range(1, len(lines)))
                assert len(lines) > before
            storming.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await storming
        kept = history(server, TOPIC)
        for command, path in (("repair", folder), ("import", folder)):
            assert "in use" in data(command, path, code=73, stdin="").stderr
    for target, before in backups:
        assert "all is well" in data("check", target).stdout
        with Server("--data", str(target)) as server:
            found = history(server, TOPIC)
            assert len(found) >= before
            assert found == kept[:len(found)]


async def make_folder(folder):
    """A folder with several topics in it, whose server was killed; what each of them has."""
    with Server("--data", str(folder), exit_code=None) as server:
        configure(server, TOPIC, history=1000)
        configure(server, "clicks", history=1000, dedupe_window="1h")
        configure(server, "empty", queue=7)
        configure(server, "cursors", durability="memory")
        async with await Client.open(server) as client:
            for number in range(40):
                await publish(client, TOPIC, {"number": number, "text": "é\u2028\"\\"}, key=f"k{number % 3}")
                await publish_batch(client, "clicks", [number, None, [1.5]], ttl=3600)
            await publish(client, "cursors", 1)
        kept = {topic: history(server, topic) for topic in (TOPIC, "clicks", "empty")}
        server.kill()
    return kept


def repaired(folder, path, kind):
    """Whether a server can start, after what is damaged was found and given up."""
    checked = apus("data", "check", str(folder), timeout=TIMEOUT)
    if checked.returncode == 0:
        # SQLite has pages that are free, and counts changes: that says nothing of what is kept.
        assert kind == "catalog"
        return True
    assert checked.returncode == 78, checked.stderr
    assert path.name in checked.stdout
    refused = data("repair", folder, code=78)
    if "restore a backup" in refused.stderr:
        assert kind == "catalog"
        return False
    assert "nothing was changed" in refused.stderr and path.name in refused.stdout
    assert "repaired" in data("repair", folder, "--yes").stdout
    assert "all is well" in data("check", folder).stdout
    return True


@pytest.mark.parametrize("kind", ["segment", "index", "catalog"])
async def test_flipped_bits_are_found_and_repaired(tmp_path, kind):
    folder = tmp_path / "data"
    kept = await make_folder(folder)
    if kind != "segment":
        # In good order, so that there is an index, and all of the catalog is in one file.
        with Server("--data", str(folder)):
            pass
    path = folder / "catalog.sqlite" if kind == "catalog" else segments(folder)[0]
    if kind == "index":
        path = path.with_name(path.name + ".idx")
    sound = tmp_path / "sound"
    shutil.copytree(folder, sound)
    end = min(path.stat().st_size, 20_000)
    generator = random.Random(kind)
    for _ in range(12):
        place = generator.randrange(end)
        content = bytearray(path.read_bytes())
        content[place] ^= 1 << generator.randrange(8)
        path.write_bytes(content)
        if repaired(folder, path, kind):
            with Server("--data", str(folder)) as server:
                topics = server.rest("GET", "/topics").json["topics"]
                for topic in {topic["name"] for topic in topics} & set(kept):
                    found = history(server, topic)
                    assert all(message in kept[topic] for message in found)
                    assert found == kept[topic] or kind == "segment"
        shutil.rmtree(folder)
        shutil.copytree(sound, folder)


async def test_what_is_exported_and_imported_is_the_same(tmp_path):
    folder, other = tmp_path / "data", tmp_path / "other"
    kept = await make_folder(folder)
    text = data("export", folder, "--all").stdout
    assert "120 messages" not in text
    (tmp_path / "all.ndjson").write_text(text)
    assert "4 topics, 160 messages" in data("import", other, tmp_path / "all.ndjson").stdout
    assert data("export", other, "--all").stdout == text
    assert "all is well" in data("check", other).stdout
    assert "--resume" in data("import", other, tmp_path / "all.ndjson", code=1).stderr
    with Server("--data", str(folder)) as server, Server("--data", str(other)) as copy:
        for topic, messages in kept.items():
            assert history(copy, topic) == messages
            there, here = (one.rest("GET", f"/topics/{topic}").json for one in (server, copy))
            assert [here[name] for name in ("settings", "epoch", "last")] \
                == [there[name] for name in ("settings", "epoch", "last")]
        # Ids are recognized, and offsets go on.
        async with await Client.open(copy) as client:
            message = kept["clicks"][0]["message"]
            await client.send(type="publish", topic="clicks", message=message, outcome=True)
            assert (await client.receive())["duplicate"] is True
            _, outcome = await publish(client, TOPIC, "new")
            assert outcome["offset"] == 41


async def test_an_import_that_was_cut_is_continued(tmp_path):
    folder, other = tmp_path / "data", tmp_path / "other"
    await make_folder(folder)
    lines = data("export", folder, TOPIC).stdout.splitlines(keepends=True)
    cut = data("import", other, stdin="".join(lines[:21]), code=1)
    assert "the input is cut" in cut.stderr and "up to offset 20" in cut.stderr
    assert "20 messages" in data("import", other, "--resume", stdin="".join(lines)).stdout
    assert data("export", other, TOPIC).stdout == "".join(lines)
    broken = data("import", other, "--resume", stdin=lines[0] + '{"offset":41,"message":1}\n', code=1)
    assert "line 2: 'message' must be an object" in broken.stderr


async def test_messages_that_have_expired_are_left_out_and_leave_their_offsets(tmp_path):
    folder, other = tmp_path / "data", tmp_path / "other"
    with Server("--data", str(folder)) as server:
        configure(server, TOPIC)
        async with await Client.open(server) as client:
            for number in range(6):
                # Offsets 2, 3 and 6 are gone at once.
                await publish(client, TOPIC, number, **({"ttl": 0.001} if number in (1, 2, 5) else {}))
        await asyncio.sleep(0.01)
    lines = exported(folder, TOPIC)
    assert [line.get("offset") or line["expired"] for line in lines[1:]] \
        == [1, {"from": 2, "to": 2}, {"from": 3, "to": 3}, 4, 5, {"from": 6, "to": 6}]
    data("import", other, stdin="".join(json.dumps(line) + "\n" for line in lines))
    with Server("--data", str(other)) as server:
        assert [message["offset"] for message in history(server, TOPIC)] == [1, 4, 5]
        assert server.rest("GET", f"/topics/{TOPIC}").json["last"] == 6


async def test_a_backup_of_a_stopped_server_and_new_epochs_for_an_older_copy(tmp_path):
    folder, copy = tmp_path / "data", tmp_path / "copy"
    kept = await make_folder(folder)
    data("backup", folder, copy)
    before = exported(copy, TOPIC)[0]["epoch"]
    assert "new epochs" in data("repair", copy, "--new-epochs", "--yes").stdout
    assert exported(copy, TOPIC)[0]["epoch"] != before == exported(folder, TOPIC)[0]["epoch"]
    with Server("--data", str(copy)) as server:
        assert history(server, TOPIC) == kept[TOPIC]
    data("backup", folder, copy, code=73)


def test_what_is_no_folder_of_apus_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for command, *more in (["check"], ["stats"], ["export", "--all"], ["repair"], ["backup", tmp_path / "to"]):
        data(command, tmp_path, *more, code=73)
        data(command, tmp_path / "none", *more, code=73)
    data("import", tmp_path, code=73, stdin="")
    assert sorted(os.listdir(tmp_path)) == ["notes.txt"]
