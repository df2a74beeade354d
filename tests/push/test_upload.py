import io
import os
import subprocess
import sys

import pytest
from fake_hub import TOKEN, Hub, Repo
from finished import configure
from rich.console import Console

from autoif.errors import AutoIFError, InputError
from autoif.push import push, shards
from autoif.rundir import RunDirectory

DATA, POLICY = ("datasets", "acme/demo"), ("models", "acme/demo-policy")


def sent(run, public=False, dry_run=False, to="acme/demo"):
    """What `autoif push` prints."""
    console = Console(file=io.StringIO(), width=200)
    push(RunDirectory(run), to, public, dry_run, console)
    return console.file.getvalue()


def test_a_push_makes_two_private_repositories_in_a_commit_each(hub, run):
    told = sent(run)
    assert set(hub.repos) == {DATA, POLICY}
    for key in (DATA, POLICY):
        assert hub.repos[key].private
        assert len(hub.repos[key].commits) == 1
    data, policy = hub.repos[DATA], hub.repos[POLICY]
    assert data.files["README.md"] == (run / "push" / "dataset" / "README.md").read_bytes()
    assert data.large == {name for name in data.files if name.endswith(".parquet")}
    assert policy.files["model.safetensors"] == b"weights" * 100
    assert f"{hub.url}/datasets/acme/demo (private)" in told
    assert f"{hub.url}/acme/demo-policy (private)" in told
    assert TOKEN not in told


def test_a_dry_run_shows_every_file_and_asks_the_hub_nothing(hub, run, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    told = sent(run, dry_run=True)
    assert hub.asked == []
    assert "data set acme/demo (private if it is new)" in told
    assert "model acme/demo-policy" in told
    for folder in ("dataset", "policy"):
        assert (run / "push" / folder / "README.md").read_text() in told
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    sent(run)
    for repo in hub.repos.values():
        for name, content in repo.files.items():
            assert name == ".gitattributes" or f"{len(content):>15,}  {name}  (" in told


def test_pushing_again_changes_nothing(hub, run):
    sent(run)
    stored = dict(hub.objects)
    hub.asked.clear()
    sent(run)
    assert [len(repo.commits) for repo in hub.repos.values()] == [1, 1]
    assert hub.objects == stored
    assert not any(asked.startswith("PUT") for asked in hub.asked)


@pytest.mark.parametrize(
    "fault", ["PUT /lfs/", "POST /api/datasets/acme/demo/commit", "POST /api/models/acme/demo-policy"]
)
def test_an_upload_that_broke_off_is_finished_by_the_next(hub, run, fault):
    hub.faults[fault] = 400
    with pytest.raises(AutoIFError, match="run the same command again") as caught:
        sent(run)
    assert caught.value.exit_status == 1
    assert TOKEN not in str(caught.value)
    hub.faults.clear()
    hub.asked.clear()
    stored = set(hub.objects)
    sent(run)
    assert [len(repo.commits) for repo in hub.repos.values()] == [1, 1]
    assert not any(f"PUT /lfs/{oid}" in hub.asked for oid in stored)


def test_shards_that_are_no_longer_there_go_and_other_files_stay(hub, run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shards, "BATCH", 4)
        patch.setattr(shards, "GROUP_BYTES", 1)
        patch.setattr(shards, "SHARD_BYTES", 1)
        sent(run)
    repo = hub.repos[DATA]
    assert "pairs/train-00001.parquet" in repo.files
    repo.files["LICENSE"] = b"added by hand"
    sent(run)
    assert [name for name in repo.files if name.startswith("pairs/")] == ["pairs/train-00000.parquet"]
    assert repo.files["LICENSE"] == b"added by hand"


def test_an_empty_repository_is_filled_and_one_of_others_is_refused(hub, run):
    hub.repos[DATA] = Repo(private=True)
    hub.repos[POLICY] = Repo(private=True)
    hub.repos[POLICY].files["model.safetensors"] = b"years of work"
    with pytest.raises(InputError, match="acme/demo-policy: this repository holds something else"):
        sent(run)
    assert hub.repos[DATA].commits == []  # looked at before anything was sent
    del hub.repos[POLICY].files["model.safetensors"]
    sent(run)
    configure(run, seed=1)
    with pytest.raises(InputError, match="acme/demo: this repository holds something else"):
        sent(run)


def test_nothing_becomes_public_unasked(hub, run):
    hub.repos[DATA] = Repo(private=False)
    with pytest.raises(InputError, match="is public; say --public"):
        sent(run)
    assert "(public)" in sent(run, public=True)
    assert not hub.repos[POLICY].private


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"GET /api/datasets": 401}, "does not accept this Hugging Face token"),
        ({"POST /api/repos/create": 403}, "may not write there"),
        ({"GET /api/datasets": 500}, "the hub cannot be reached"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(hub, run, faults, message):
    hub.faults |= faults
    with pytest.raises(InputError, match=message) as caught:
        sent(run)
    assert "\n" not in str(caught.value)
    assert hub.repos == {}


def test_a_card_that_the_hub_refuses_is_told_with_its_reason(hub, run, monkeypatch):
    from autoif.push import card

    monkeypatch.setattr(card, "hub_licence", lambda licence: "my-own")
    with pytest.raises(AutoIFError, match='"license" must be one of the known ones'):
        sent(run)


def test_a_wrong_token_is_one_sentence(hub, run, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(InputError, match="does not accept") as caught:
        sent(run)
    assert "hf_wrong" not in str(caught.value)


def test_no_token_is_one_sentence(hub, run, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(InputError, match="hf auth login"):
        sent(run)
    assert hub.asked == []


def test_no_network_is_one_sentence(hub, run, monkeypatch):
    from huggingface_hub import constants

    with Hub() as gone:
        address = gone.url
        gone.shutdown()
    monkeypatch.setattr(constants, "ENDPOINT", address)
    with pytest.raises(InputError, match=f"{address}: the hub cannot be reached"):
        sent(run)


@pytest.mark.parametrize("name", ["demo", "acme/demo/more", "acme/de mo", "../demo", "acme/a--b", "acme/" + "a" * 90])
def test_a_name_that_the_hub_does_not_allow_is_one_sentence(hub, run, name):
    with pytest.raises(InputError, match=r"^--to "):
        sent(run, to=name)
    assert hub.asked == []


def test_the_command_line_and_datasets_agree_with_the_hub(run, tmp_path):
    """Real processes: push, then load both configurations from the hub by their names."""
    pytest.importorskip("datasets")
    with Hub() as hub:
        env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "hf")}
        env |= {"HF_TOKEN": TOKEN}

        def ran(*command):
            return subprocess.run([sys.executable, *command], env=env, capture_output=True, text=True, check=False)

        autoif = ("-m", "autoif.cli", "push", str(run))
        assert ran(*autoif).returncode == 2
        assert hub.asked == []
        done = ran(*autoif, "--to", "acme/demo")
        assert done.returncode == 0, done.stderr
        assert TOKEN not in done.stdout + done.stderr
        code = (
            "from datasets import load_dataset as load\n"
            "print(len(load('acme/demo', split='train')))\n"
            "print(len(load('acme/demo', 'verified_instructions', split='train')))"
        )
        loaded = ran("-c", code)
        hub.shutdown()
    directory = RunDirectory(run)
    train = sum(one.split == "train" for one in directory.stage("crosscheck"))
    assert loaded.stdout.split() == [str(directory.stage("pairs").stats()["kept"]), str(train)], loaded.stderr
