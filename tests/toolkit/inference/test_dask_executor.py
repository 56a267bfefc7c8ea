"""Items on a Dask cluster: the same bits as here, whatever dies meanwhile, and nothing left behind."""

import itertools
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from support.cluster import (
    Cluster,
    dask,
    free_port,
    local_cluster,
    until,
    until_somebody_listens,
)

from edgekit.data.store import ArrayWriter, StoredArrays
from edgekit.inference import dask_cluster, dask_executor, dask_files
from edgekit.inference.executors import open_executor
from edgekit.inference.place import ClusterError, Executor
from edgekit.inference.record import record
from edgekit.inference.shards import FileToRun, RowsOfFiles, Shard, record_shards, run_shard
from edgekit.progress import silent
from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes import DeviceUnavailable, open_model

FILES = ("model_float32.tflite", "model_int8.tflite", "model_float32.onnx", "model_int8.onnx")


@pytest.fixture(scope="module")
def samples(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> StoredArrays:
    """Eight thousand: enough work to be interrupted."""
    images = np.load(digits / "eval.npz")["image"]
    writer = ArrayWriter(tmp_path_factory.mktemp("samples") / "many")
    for factor in range(8_000 // len(images)):
        writer.add({"image": images * np.float32(1 - factor / 100)})
    return writer.close()


@pytest.fixture
def executor(cluster: Cluster) -> Iterator[Executor]:
    cluster.wait_for_workers(2)
    with open_executor(cluster.engine) as opened:
        yield opened
    cluster.until_clean()


def to_run(executor: Executor, paths: Sequence[Path]) -> list[FileToRun]:
    files = []
    for path in paths:
        with open_model(path, trust=True) as session:
            inputs, outputs = (
                {spec.name: spec.name for spec in ends}
                for ends in (session.inputs, session.outputs)
            )
            files.append(FileToRun(executor.share(path), session.device, inputs, outputs))
    return files


def equal(a: StoredArrays, b: StoredArrays) -> bool:
    same = (a.count, a.shapes, a.dtypes) == (b.count, b.shapes, b.dtypes)
    return same and all(a.path(n).read_bytes() == b.path(n).read_bytes() for n in a.shapes)


def recorded_here(path: Path, samples: StoredArrays, folder: Path) -> StoredArrays:
    with open_model(path, trust=True) as session:
        return record(session, samples, folder)


@pytest.mark.parametrize("reused", [False, True], ids=["in shards", "kept by workers"])
def test_outputs_are_those_of_this_machine_bit_by_bit(
    reused: bool, executor: Executor, converted: Path, samples: StoredArrays, tmp_path: Path
) -> None:
    few = replace(samples, count=401)  # no multiple of anything
    paths = [converted / name for name in FILES]
    folders = [tmp_path / path.name for path in paths]
    told: list[tuple[int, int]] = []

    class Watching:
        def __call__(self, step: str) -> None: ...
        def expect(self, steps: int) -> None: ...
        def advance(self, done: int, total: int) -> None:
            told.append((done, total))

    there = record_shards(
        executor,
        to_run(executor, paths),
        few,
        folders,
        output_bytes=160,
        reused=reused,
        progress=Watching(),
    )

    for path, outputs in zip(paths, there, strict=True):
        assert equal(outputs, recorded_here(path, few, tmp_path / f"{path.name} here"))
    assert told == sorted(told)
    assert len(told) >= 8
    assert told[-1] == (401, 401)


def test_a_killed_worker_costs_only_its_items(
    cluster: Cluster, executor: Executor, converted: Path, samples: StoredArrays, tmp_path: Path
) -> None:
    paths = [converted / name for name in FILES[1::2]]
    files = to_run(executor, paths)
    killed: list[str] = []
    before = set(cluster.pids())

    def shards() -> Iterator[Shard]:
        for batch in samples.batches(100):
            yield Shard(tuple(files), batch, keep_open=True)

    def finished(count: int) -> None:
        if count == 5:
            killed.append(cluster.kill())

    results = list(executor.map(run_shard, shards(), finished))

    assert killed[0] in before
    for at, path in enumerate(paths):
        (name,) = results[0][at]
        there = np.concatenate([outputs[at][name] for outputs in results])
        here = recorded_here(path, samples, tmp_path / path.name)
        assert there.tobytes() == here.path(name).read_bytes()
    # The worker that its nanny started comes to the same run without its files, and is sent them.
    cluster.wait_for_workers(2)
    assert set(cluster.pids()) != before
    again = list(executor.map(run_shard, itertools.islice(shards(), 20)))
    assert again[19][0][name].tobytes() == results[19][0][name].tobytes()


def test_a_worker_is_sent_a_file_once(
    cluster: Cluster, executor: Executor, converted: Path, samples: StoredArrays, tmp_path: Path
) -> None:
    source = Path(shutil.copy(converted / "model_int8.tflite", tmp_path))
    files = to_run(executor, [source])
    few = replace(samples, count=100)
    first = record_shards(executor, files, few, [tmp_path / "first"], progress=silent)
    source.unlink()
    second = record_shards(executor, files, few, [tmp_path / "second"], progress=silent)

    assert equal(first[0], second[0])
    assert len(cluster.leftovers()) == 2  # a folder on each worker, until the run ends


def test_a_file_that_changed_since_it_was_shared_is_refused(
    executor: Executor, converted: Path, samples: StoredArrays, tmp_path: Path
) -> None:
    source = Path(shutil.copy(converted / "model_int8.tflite", tmp_path))
    files = to_run(executor, [source])
    shutil.copy(converted / "model_float32.tflite", source)

    with pytest.raises(ClusterError, match=r"model_int8\.tflite changed while it was sent"):
        record_shards(executor, files, samples, [tmp_path / "outputs"], progress=silent)


def test_an_error_of_an_item_is_raised_here_and_names_the_worker(
    executor: Executor, converted: Path, samples: StoredArrays, tmp_path: Path
) -> None:
    (file,) = to_run(executor, [converted / "model_int8.tflite"])
    nowhere = replace(file, device="abacus")

    with pytest.raises(DeviceUnavailable, match="abacus") as caught:
        record_shards(executor, [nowhere], samples, [tmp_path / "outputs"], progress=silent)

    assert "on the worker tcp://127.0.0.1:" in "".join(caught.value.__notes__)


def test_samples_that_are_reused_travel_once(
    cluster: Cluster, executor: Executor, samples: StoredArrays, tmp_path: Path
) -> None:
    read = samples.path("image")
    shared = executor.share(read)
    shards = [Shard((), RowsOfFiles(shared, samples, 40, 20), keep_open=True)] * 8
    hidden = tmp_path / "hidden"

    def holders() -> int:
        def look(dask_worker: Any) -> int:
            return len([*Path(dask_worker.local_directory).glob(f"edgekit-*/{shared.digest}")])

        return sum(cluster.client.run(look).values())

    assert holders() == 0
    until(lambda: list(executor.map(run_shard, shards)) and holders() == 2)
    read.rename(hidden)
    try:
        assert list(executor.map(run_shard, shards)) == [[]] * 8
    finally:
        hidden.rename(read)


def test_who_stops_early_leaves_nothing_to_compute(
    cluster: Cluster, executor: Executor, converted: Path, samples: StoredArrays
) -> None:
    files = tuple(to_run(executor, [converted / name for name in FILES]))
    shards = (Shard(files, batch, keep_open=True) for batch in samples.batches(256))
    results = executor.map(run_shard, shards)
    next(results)
    assert any(name.startswith("edgekit") for name in cluster.tasks())

    results.close()  # type: ignore[attr-defined]

    until(lambda: not any(name.startswith("edgekit") for name in cluster.tasks()))


def test_only_functions_of_edgekit_are_sent(executor: Executor) -> None:
    with pytest.raises(ValueError, match="only functions of edgekit"):
        next(executor.map(lambda item, place: os.getpid(), [1]))


def test_a_cluster_that_loses_all_workers_is_an_error(
    converted: Path, samples: StoredArrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_executor, "_ALONE", 0.5)
    monkeypatch.setattr(dask_executor, "_FETCH", 0.5)
    with local_cluster(workers=1) as small, open_executor(small.engine) as executor:
        (file,) = to_run(executor, [converted / "model_int8.tflite"])
        shards = (Shard((file,), batch, keep_open=True) for batch in samples.batches(64))
        results = executor.map(run_shard, shards)
        next(results)
        small.stop_workers()

        with pytest.raises(ClusterError, match=r"has had no workers for 0\.5 seconds"):
            list(results)


@pytest.mark.slow
def test_an_item_that_ends_every_worker_is_an_error(
    cluster: Cluster, executor: Executor, converted: Path, samples: StoredArrays, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(dask_executor, "_ALONE", 600.0)  # a busy machine starts workers slowly
    good, damaged = converted / "model_int8.tflite", tmp_path / "model_int8.tflite"
    model = flatbuffer.read(good)
    subgraph = model.subgraphs[0]
    first = subgraph.tensors[int(subgraph.operators[0].outputs[0])]
    first.quantization.zeroPoint = [-4194432]
    flatbuffer.write(model, damaged)
    (file,) = to_run(executor, [good])
    crashing = replace(file, file=executor.share(damaged))

    def allow(failures: int, dask_scheduler: Any) -> int:
        before, dask_scheduler.allowed_failures = dask_scheduler.allowed_failures, failures
        return int(before)

    before = cluster.client.run_on_scheduler(allow, 1)  # each further one takes a start of Python
    try:
        with pytest.raises(ClusterError, match="2 workers died one after the other") as caught:
            record_shards(
                executor, [crashing], replace(samples, count=1), [tmp_path / "out"], progress=silent
            )
    finally:
        cluster.client.run_on_scheduler(allow, before)

    assert executor.name in str(caught.value)


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_an_error(
    converted: Path, samples: StoredArrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "_CONNECT", 10.0)  # for so long it is hoped to come back
    port = free_port()
    with (
        dask("scheduler", "--port", str(port), folder=tmp_path) as scheduler,
        dask("worker", f"127.0.0.1:{port}", "--nthreads", "1", "--no-nanny", folder=tmp_path),
    ):
        until_somebody_listens(port)
        with open_executor(f"dask=127.0.0.1:{port}") as executor:
            (file,) = to_run(executor, [converted / "model_int8.tflite"])
            shards = (Shard((file,), batch, keep_open=True) for batch in samples.batches(16))
            results = executor.map(run_shard, shards)
            next(results)
            scheduler.kill()

            with pytest.raises(ClusterError, match="the scheduler has gone"):
                list(results)


@pytest.mark.slow
def test_a_scheduler_that_goes_away_while_files_are_sent_is_an_error(
    converted: Path, samples: StoredArrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_files, "_PIECE", 16)  # a message each: sending takes seconds
    port = free_port()
    with (
        dask("scheduler", "--port", str(port), folder=tmp_path) as scheduler,
        dask("worker", f"127.0.0.1:{port}", "--nthreads", "1", "--no-nanny", folder=tmp_path),
    ):
        until_somebody_listens(port)

        def kill() -> None:
            until(lambda: [*tmp_path.rglob("*.unfinished")])
            scheduler.kill()

        with open_executor(f"dask=127.0.0.1:{port}") as executor:
            (file,) = to_run(executor, [converted / "model_int8.tflite"])
            shards = (Shard((file,), batch, keep_open=True) for batch in samples.batches(16))
            killer = Thread(target=kill)
            killer.start()
            with pytest.raises(ClusterError, match="the scheduler has gone"):
                list(executor.map(run_shard, shards))
            killer.join()
