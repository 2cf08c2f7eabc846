"""What to call a model."""


def model_name(model) -> str:
    """The name on a model's card, that of its folder or file, or its class."""
    card = getattr(model, "card", None)
    return card.name if card is not None else getattr(model, "saved_as", "") or type(model).__name__
