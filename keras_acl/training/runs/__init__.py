"""A training run: from a folder of videos to a saved model and its pictures."""
