import os
import socket
import subprocess
import sys

import pytest

from keras_acl.inference.archive.options import ArchiveOptions, Workers
from keras_acl.inference.archive.pool import RayPool, ray_pool


class FakeRay:
    """Machines, and what is asked of them."""

    def __init__(self, *nodes):
        self._nodes = [{"Alive": True, "Resources": node} for node in nodes]
        self._nodes.append({"Alive": False, "Resources": {"CPU": 64.0}})

    def nodes(self):
        return self._nodes

    def remote(self, kind):
        return self

    def options(self, **asked):
        self.asked = asked
        return self


@pytest.mark.parametrize(
    ("nodes", "count", "size", "cpus", "gpus"),
    [
        ([{"CPU": 8.0}], None, 1, 8, None),
        ([{"CPU": 8.0}], 3, 3, 2, None),
        ([{"CPU": 8.0}, {"CPU": 4.0}], None, 2, 4, None),
        ([{"CPU": 8.0}] * 3, 4, 4, 4, None),  # two on one machine
        ([{"CPU": 8.0, "GPU": 2.0}, {"CPU": 8.0, "GPU": 2.0}], None, 4, 4, 1.0),
        ([{"CPU": 8.0, "GPU": 1.0}], 2, 2, 4, 0.5),
        ([{"CPU": 8.0}, {"CPU": 0.0}], None, 1, 8, None),  # a head that does not work
    ],
)
def test_workers_fit_their_machines(nodes, count, size, cpus, gpus, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    ray = FakeRay(*nodes)
    pool = RayPool(ray, lambda threads: (threads,), count)
    assert pool.size == size
    assert ray.asked["num_cpus"] == cpus
    assert ray.asked.get("num_gpus") == gpus
    assert pool._arguments == (cpus,)


def test_a_gpu_is_left_alone_when_asked(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    ray = FakeRay({"CPU": 8.0, "GPU": 2.0})
    assert RayPool(ray, lambda threads: (), None).size == 1
    assert "num_gpus" not in ray.asked


def test_more_workers_than_cores_are_refused():
    with pytest.raises(ValueError, match="9 workers need a core each, and Ray has 8"):
        RayPool(FakeRay({"CPU": 8.0}), lambda threads: (), 9)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(ImportError, match=r'by Ray: pip install "keras-acl\[ray\]"'),
        ray_pool(Workers(), "demo", ArchiveOptions()),
    ):
        pass


CODE = """
import os
from keras_acl.inference.archive.manifest import Item
from keras_acl.inference.archive.options import ArchiveOptions, Workers
from keras_acl.inference.archive.pool import ray_pool
from keras_acl.video.video import Video

with ray_pool(Workers(2), "gone.keras", ArchiveOptions()) as pool:
    import ray
    [node] = ray.nodes()
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    assert node["NodeManagerAddress"] == "127.0.0.1", node
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert (pool.size, ray.cluster_resources()["CPU"]) == (2, max(2, os.cpu_count()))
    worker = pool.start()
    tickets = [pool.load(worker), pool.classify(worker, [Item("a", Video("a.mp4"))])]
    while tickets:
        ticket = pool.wait(tickets)
        tickets.remove(ticket)
        try:
            pool.result(ticket)
        except FileNotFoundError as error:
            print(error)
    with ray_pool(Workers(), "gone.keras", ArchiveOptions()):  # in the same one
        assert ray.nodes()[0]["NodeID"] == node["NodeID"]
    assert ray.is_initialized()
assert not ray.is_initialized()
"""


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_does_not_answer_is_one_line(scheme):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"{scheme}127.0.0.1:{free.getsockname()[1]}"
    with (
        pytest.raises(ConnectionError, match=f"No Ray cluster answers at {address}: .*refused"),
        ray_pool(Workers(address=address), "demo", ArchiveOptions()),
    ):
        pass


@pytest.mark.slow
def test_a_ray_of_its_own_hears_this_machine_only(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name[:4] != "RAY_"}
    environment["HOME"] = str(tmp_path)
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert len(said) == 2
    assert all("gone.keras" in line for line in said)
    assert not list(tmp_path.glob(".ray"))
