"""How networks are trained.

* `recipe`: what `compile` and `fit` need, flat and typed; `recipes`: those that there are.
* `fine_tuning`: frozen streams and balanced classes.
* `losses`, `optimizers`: cross-entropy and accuracy, SGD and its schedule.
* `consistency_loss`, `precise_batch_norm`, `checkpoint`: the callbacks.
* `history`: the log of a run, read and drawn.
* `runs`: a whole run, from a folder of videos to a saved model.
"""
