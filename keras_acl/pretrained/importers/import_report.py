"""What an import did, tensor by tensor."""

import dataclasses

from keras_acl.system import html


@dataclasses.dataclass(frozen=True)
class Source:
    """One checkpoint file of an import.

    Args:
        path: The file.
        format: Name of its format.
        used: Where its tensors went: from the file's name to the variable's here.
        ignored: Its tensors that were not needed, with the reason.
        placeholders: Classes it names that were not read.
    """

    path: str
    format: str
    used: dict[str, str]
    ignored: dict[str, str]
    placeholders: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ImportReport:
    """What went where. `str(report)` is for people, `to_dict()` for files.

    Args:
        model: The model that was filled, in words.
        sources: The checkpoint files.
        notes: What the user should know: what was assumed, what the model is not.
    """

    model: str
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        lines = [self.model]
        for source in self.sources:
            lines.append(f"{source.path} ({source.format}): {len(source.used)} tensors used")
            reasons = list(source.ignored.values())
            lines += [
                f"  {reasons.count(reason)} ignored: {reason}" for reason in dict.fromkeys(reasons)
            ]
            if source.placeholders:
                names = ", ".join(source.placeholders)
                lines.append(f"  objects that were not read: {names}")
        lines += [f"Note: {note}" for note in self.notes]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            (source.path, source.format, len(source.used), len(source.ignored))
            for source in self.sources
        ]
        about = html.lines([self.model, *(f"Note: {note}" for note in self.notes)])
        return about + html.table(("checkpoint", "format", "tensors used", "ignored"), rows)
