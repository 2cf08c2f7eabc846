"""A training run: from a folder of videos to a saved model and its pictures.

`plan_run` chooses what the user leaves open, `train_folder` trains or goes on where a run stopped.
"""

from keras_acl.training.runs.claim import claim_folder, finished_epochs
from keras_acl.training.runs.plan import (
    CLIPS,
    LEARNING_RATES,
    NETWORKS,
    choose_network,
    clip_for,
    clip_of,
    default_folder,
    plan_run,
)
from keras_acl.training.runs.settings import KeptModel, RunReport, RunSettings
from keras_acl.training.runs.train import train_folder
from keras_acl.training.runs.videos import RunVideos, read_run_videos, read_videos

__all__ = [
    "CLIPS",
    "LEARNING_RATES",
    "NETWORKS",
    "KeptModel",
    "RunReport",
    "RunSettings",
    "RunVideos",
    "choose_network",
    "claim_folder",
    "clip_for",
    "clip_of",
    "default_folder",
    "finished_epochs",
    "plan_run",
    "read_run_videos",
    "read_videos",
    "train_folder",
]
