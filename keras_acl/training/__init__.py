"""How networks are trained: recipes, losses, callbacks; `runs` is a whole training run."""
