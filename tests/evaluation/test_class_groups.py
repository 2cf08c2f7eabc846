import pytest

from keras_acl.evaluation.class_groups import CROWDS, FAST_MOVING, GROUPS, known_groups, read_groups
from keras_acl.pretrained.labels import read_labels

LABELS = ("run", "sit, quietly", "wave")


def test_the_papers_classes_are_in_kinetics():
    assert set(CROWDS + FAST_MOVING) <= set(read_labels("kinetics400"))
    assert known_groups(read_labels("kinetics400")) == dict(GROUPS)
    assert (len(CROWDS), len(FAST_MOVING)) == (7, 8)
    assert len(set(CROWDS + FAST_MOVING)) == 15


def test_groups_without_a_class_are_left_out():
    assert known_groups(("archery", "run", "capoeira")) == {"fast moving": ("capoeira", "archery")}
    assert known_groups(LABELS) == {}


def write(folder, text: str):
    (folder / "groups.csv").write_text(text, encoding="utf-8")
    return folder / "groups.csv"


def test_groups_of_a_csv(tmp_path):
    text = '\ufefflabel,group,note\nwave,arms,\n\n"sit, quietly",still,x\nrun,arms,y\n'
    groups = read_groups(write(tmp_path, text), LABELS)
    assert groups == {"arms": ("wave", "run"), "still": ("sit, quietly",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("group,label\narms,wave\narms,swim\n", r"csv, line 3: expected .* 3 class .*'swim'"),
        ("group,label\n,wave\n", r"csv, line 2: expected a group .*Received: group=''"),
        ("group,label\narms,\n", r"csv, line 2: .*label=''"),
        ("group,label\narms,wave,run\n", r"csv, line 2: expected 2 cells"),
        ("group,class\narms,wave\n", r"csv, line 1: .*column\(s\) label"),
        ("group,label\n", r"has a header and no rows"),
        ("", r"csv, line 1: expected a header"),
    ],
)
def test_errors_name_the_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_groups(write(tmp_path, text), LABELS)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_groups(tmp_path / "groups.csv", LABELS)
