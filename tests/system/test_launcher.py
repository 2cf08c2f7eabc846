import os

import pytest

from keras_acl.system.launcher import Launch, launch

NAMES = ("KERAS_DISTRIBUTION_", "SLURM_", "OMPI_")
ALL = {
    "KERAS_DISTRIBUTION_JOB_ADDRESSES": "10.0.0.1:1234,10.0.0.2:1234",
    "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    "KERAS_DISTRIBUTION_PROCESS_ID": "1",
}


@pytest.fixture
def environment(monkeypatch):
    for name in os.environ:
        if name.startswith(NAMES):
            monkeypatch.delenv(name)
    return lambda values: [monkeypatch.setenv(*item) for item in values.items()]


def test_a_process_by_itself_is_the_first_of_one(environment):
    assert launch() == Launch(0, 1, None)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (ALL, Launch(1, 2, "10.0.0.1:1234")),
        ({"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "8"}, Launch(3, 8, None)),
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4"}, Launch(0, 4, None)),
        # An allocation of several tasks in which one process is run by hand.
        ({"SLURM_NTASKS": "8"}, Launch(0, 1, None)),
        ({**ALL, "SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "8"}, Launch(1, 2, "10.0.0.1:1234")),
    ],
)
def test_launchers_are_known_by_their_variables(environment, values, found):
    environment(values)
    assert launch() == found


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"KERAS_DISTRIBUTION_NUM_PROCESSES": ""}, "KERAS_DISTRIBUTION_NUM_PROCESSES is not"),
        ({"KERAS_DISTRIBUTION_PROCESS_ID": "2"}, "KERAS_DISTRIBUTION_PROCESS_ID=2"),
        ({"KERAS_DISTRIBUTION_PROCESS_ID": "-1"}, "KERAS_DISTRIBUTION_PROCESS_ID=-1"),
        ({"KERAS_DISTRIBUTION_NUM_PROCESSES": "two"}, "KERAS_DISTRIBUTION_NUM_PROCESSES=two"),
        ({"KERAS_DISTRIBUTION_JOB_ADDRESSES": "10.0.0.1"}, "host:port.*Received: 10.0.0.1"),
    ],
)
def test_what_a_launcher_cannot_mean_is_an_error(environment, values, message):
    environment({**ALL, **values})
    with pytest.raises(ValueError, match=message):
        launch()
