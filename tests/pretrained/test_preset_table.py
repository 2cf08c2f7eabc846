import pytest

from keras_acl.evaluation import Scores, card_metric
from keras_acl.pretrained import list_presets
from keras_acl.pretrained.find_folder import shipped_folder
from keras_acl.pretrained.presets import PRESETS, find_preset


def test_a_row_for_every_preset():
    rows = {row.name: row for row in list_presets()}
    assert list(rows) == [preset.name for preset in PRESETS]
    k400 = rows["acl_r50_4x16_k400"]
    assert k400.alias == "k400"
    assert (k400.top1, k400.top5) == (None, None)  # nobody has measured it
    slow = rows["slow_r50_4x16_k400"]
    assert (slow.top1, slow.top5) == (72.40, 90.18)
    assert "3 crops" in slow.protocol
    assert "SLOW_4x16_R50.pyth" in k400.source
    assert rows["ucf101"].top1 is None
    command = "python examples/finetune_ucf101.py --videos UCF-101 --splits ucfTrainTestlist"
    assert rows["ucf101"].source == f"not published: {command}"


def test_rows_are_chosen_by_task_and_accuracy():
    names = {row.name for row in list_presets("Kinetics400", min_top1=77.9)}
    assert names == {"slowfast_r101_8x8_k400", "r2plus1d_34_32_k400"}  # 77.90 and 80.00
    assert [row.name for row in list_presets("moving figures")] == ["demo"]
    assert all(row.top1 is not None for row in list_presets(min_top1=0))  # k400: nobody measured it
    with pytest.raises(ValueError, match=r"task of kinetics-400, .*Received: task='cats'"):
        list_presets("cats")


def test_shipped_weights_are_listed_with_what_they_were_measured_with():
    demo = next(row for row in list_presets() if row.name == "demo")
    assert demo.source == "ships with the package"
    scores = Scores.load(shipped_folder(find_preset("demo")))
    metric = card_metric(scores, demo.measured_by)  # from raw scores, not typed
    assert (demo.top1, demo.top5, demo.protocol) == (metric.top1, metric.top5, metric.protocol)
    assert len(scores.paths) == 480
    assert demo.measured_by.startswith("python examples/train_demo.py")


def test_the_table_shows_itself():
    rows = list_presets()
    lines = repr(rows).splitlines()
    assert len(lines) == 1 + len(PRESETS)
    assert lines[1].startswith("k400 = acl_r50_4x16_k400")
    assert lines[0].index("GMACs") == lines[1].index("34.16")
    assert rows._repr_html_().count("<tr>") == len(lines)
