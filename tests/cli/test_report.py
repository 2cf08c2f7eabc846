import pytest
from evaluation.made_scores import LABELS, made_scores, save_run


def test_report_of_a_run(call, tmp_path):
    run = save_run(tmp_path / "run", made_scores())
    code, out, err = call("report", run, "--output", tmp_path / "page" / "report.html")
    assert (code, err) == (0, "")
    assert f"{tmp_path / 'page' / 'report.html'} (" in out
    assert "some_net on moves" in (tmp_path / "page" / "report.html").read_text()


def test_report_of_two_runs_with_groups(call, tmp_path):
    runs = [save_run(tmp_path / str(seed), made_scores(seed)) for seed in (0, 1)]
    groups = tmp_path / "groups.csv"
    groups.write_text("group,label\nmine,eating\n")
    code, _, _ = call(
        "report", *runs, "--groups", groups, "--hardest", 3, "--output", tmp_path / "two.html"
    )
    assert code == 0
    page = (tmp_path / "two.html").read_text()
    assert "some_net (0) against some_net (1)" in page
    assert page.count("<article>") == 6


def test_report_lands_here(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_run(tmp_path / "run", made_scores())
    assert call("report", "run")[0] == 0
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "There are no scores at"),
        (["broken"], "holds no scores of an evaluation"),
        (["run", "few"], "Only runs with the same classes"),
        (["run", "--model", "nowhere.keras"], "There is no model at nowhere.keras"),
        (["run", "--groups", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_report_mistakes(call, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    save_run(tmp_path / "run", made_scores())
    save_run(tmp_path / "few", made_scores(labels=LABELS[:3]))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "scores.npz").write_bytes(b"PK\x03\x04")
    code, _, err = call("report", *arguments)
    assert code == 1
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "report.html").exists()
