"""A trained model by name, in the form that answers fastest."""

from keras_acl.system.quiet_start import has_nvidia, quiet_start


def load_for_inference(name: str, precision: str | None = None, engine: str = "auto"):
    """Load what the command line takes for a model, optimised.

    An exported model, and one whose engine was kept, is loaded without Keras.

    Args:
        name: An exported file, or what `load_any` takes: a `.keras` file, a run folder, a saved
            folder, a preset's name or `hf://user/repo`.
        precision: What it computes in; by default what the model computes in.
        engine: `"auto"`, `"keras"` or `"openvino"`, see `optimize`.

    Returns:
        An `InferenceModel`, or a Keras model with its batch normalisation folded.
    """
    from keras_acl.engines.inference_model import InferenceModel, is_exported

    if is_exported(name):  # without Keras
        from keras_acl.pretrained.any_file import load_exported

        return load_exported(name, **({} if precision is None else {"precision": precision}))
    from keras_acl.inference.kept_engines import note_source, noted

    # What was kept is for processors.
    if engine == "openvino" or (engine == "auto" and not has_nvidia()):
        found = noted(name, precision)
        if found is not None:
            return found
    with quiet_start():
        from keras_acl.inference.engine_choice import optimize
        from keras_acl.pretrained import load_any

    loaded = load_any(name)
    fast = optimize(loaded, precision=precision, engine=engine)
    if isinstance(fast, InferenceModel):
        note_source(name, fast, loaded.compute_dtype)
    return fast
