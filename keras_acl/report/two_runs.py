"""What a report says of the difference of two runs, as data for its template."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_acl.evaluation.comparison import Comparison, compare, video_keys
from keras_acl.evaluation.scores import Scores
from keras_acl.report import charts
from keras_acl.report.one_run import short_paths
from keras_acl.report.run import Run

NAMED_BARS = 40  # classes up to which every one has a named bar
ENDS = 15  # named bars of gains, and of losses, where there are more classes
FLIPPED = 20  # videos shown that only one run recognises


def comparison_context(
    first: Run, second: Run, groups: Mapping[str, Sequence[str]], names: tuple[str, str]
) -> dict[str, Any]:
    """Everything that is said of the difference of two runs.

    Raises:
        ValueError: If they cannot be compared, see `compare`.
    """
    comparison = compare(first.scores, second.scores, groups)
    rows = sorted(
        (row for row in comparison.classes if row.videos), key=lambda row: (-row.change, row.name)
    )
    named = [*rows[:ENDS], *rows[-ENDS:]] if len(rows) > NAMED_BARS else rows
    return {
        "names": names,
        "overall": comparison.overall,
        "groups": comparison.groups,
        "classes": rows,
        "significant": sum(row.adjusted < charts.SIGNIFICANT for row in rows),
        "bars": charts.change_chart(named, "change"),
        "all_named": len(named) == len(rows),
        "profile": charts.profile_chart(rows, "change") if len(named) < len(rows) else "",
        "flipped": flipped_videos(first.scores, second.scores, comparison),
        "same_protocol": first.scores.protocol == second.scores.protocol,
        "videos": (len(first.scores.paths), len(second.scores.paths)),
    }


def display_names(first: Run, second: Run) -> tuple[str, str]:
    """Names that tell two runs apart."""
    names = first.name, second.name
    if names[0] == names[1]:
        folders = first.folder.resolve().name, second.folder.resolve().name
        names = f"{names[0]} ({folders[0]})", f"{names[1]} ({folders[1]})"
    if names[0] == names[1]:
        names = f"{names[0]}, first", f"{names[1]}, second"
    return names


def flipped_videos(first: Scores, second: Scores, comparison: Comparison) -> list[dict[str, Any]]:
    """Videos that only one of two runs recognises, those whose score changed most first.

    Returns:
        Two tables: gained and lost, each with the number of all such videos.
    """
    places = {key: index for index, key in enumerate(video_keys(second))}
    _, names = short_paths(first)
    done = first.done & (first.truth >= 0), second.done
    tables: tuple[list, list] = ([], [])
    for i, key in enumerate(video_keys(first)):
        j = places.get(key, -1)
        if j < 0 or not (done[0][i] and done[1][j]):
            continue
        truth = int(first.truth[i])
        before, after = first.probabilities[i], second.probabilities[j]
        said = int(before.argmax()), int(after.argmax())
        if (said[0] == truth) == (said[1] == truth):
            continue
        tables[int(said[0] == truth)].append(
            {
                "name": names[i],
                "truth": first.labels[truth],
                "said": [first.labels[said[0]], first.labels[said[1]]],
                "scores": [float(before[truth]), float(after[truth])],
            }
        )
    for table in tables:
        table.sort(key=lambda row: (-abs(row["scores"][1] - row["scores"][0]), row["name"]))
    counts = comparison.overall.gained, comparison.overall.lost
    return [
        {"rows": table[:FLIPPED], "count": count}
        for table, count in zip(tables, counts, strict=True)
    ]
