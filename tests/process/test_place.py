"""What a directory is called: as git says, and without asking it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aimond.process.place import project

HOME = "/home/nobody-of-these-tests"


def git(directory: Path, *words: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@y", "-c", "protocol.file.allow=always"]
    done = subprocess.run(["git", *who, *words], cwd=directory, capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n")


def repository(directory: Path) -> Path:
    directory.mkdir(parents=True)
    git(directory, "init", "-q")
    git(directory, "commit", "-q", "--allow-empty", "-m", "first")
    return directory


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return repository(tmp_path / "work")


def as_git_says(directory: Path) -> bool:
    name = Path(git(directory, "rev-parse", "--show-toplevel")).name
    return project(str(directory), HOME) == name


def test_anywhere_in_a_repository_it_is_the_repositorys_name(work: Path) -> None:
    deep = work / "src" / "deep" / "down"
    deep.mkdir(parents=True)
    assert [project(str(each), HOME) for each in (work, work / "src", deep)] == ["work"] * 3
    assert as_git_says(deep)


def test_a_linked_work_tree_has_its_own_name(work: Path) -> None:
    git(work, "worktree", "add", "-q", "../feature", "-b", "feature")
    feature = work.parent / "feature"
    (feature / "src").mkdir()
    assert (feature / ".git").is_file()
    assert project(str(feature / "src"), HOME) == "feature"
    assert as_git_says(feature / "src")


def test_a_work_tree_below_the_repository_it_belongs_to_has_its_own_name(work: Path) -> None:
    git(work, "worktree", "add", "-q", ".trees/fix", "-b", "fix")
    assert project(str(work / ".trees" / "fix"), HOME) == "fix"
    assert as_git_says(work / ".trees" / "fix")


def test_a_submodule_has_its_own_name(work: Path, tmp_path: Path) -> None:
    library = repository(tmp_path / "library")
    git(work, "submodule", "--quiet", "add", str(library), "vendor/lib")
    inside = work / "vendor" / "lib"
    assert (project(str(inside), HOME), project(str(inside.parent), HOME)) == ("lib", "work")
    assert as_git_says(inside)


def test_a_directory_that_is_called_git_makes_no_repository(work: Path) -> None:
    (work / "sub" / ".git").mkdir(parents=True)
    assert project(str(work / "sub"), HOME) == "work"
    assert as_git_says(work / "sub")


def test_without_a_repository_it_is_the_directory(tmp_path: Path) -> None:
    assert project(str(tmp_path), HOME) == tmp_path.name
    assert project(f"{tmp_path}/", HOME) == tmp_path.name


def test_a_home_full_of_dotfiles_is_no_project(tmp_path: Path) -> None:
    home = repository(tmp_path / "alice")
    notes, tool = home / "notes", repository(home / "src" / "tool")
    notes.mkdir()
    assert project(str(notes), str(home)) == "notes"
    assert project(str(home), str(home)) == "alice"
    assert project(str(tool), str(home)) == "tool"
    assert project(str(notes), HOME) == "alice"


def test_a_home_that_is_reached_by_a_link_is_home(tmp_path: Path) -> None:
    home = repository(tmp_path / "real")
    (home / "notes").mkdir()
    (tmp_path / "link").symlink_to(home)
    assert project(str(home / "notes"), str(tmp_path / "link")) == "notes"


def test_above_home_nothing_is_looked_for(tmp_path: Path) -> None:
    home = repository(tmp_path / "all") / "alice"
    (home / "notes").mkdir(parents=True)
    assert project(str(home / "notes"), str(home)) == "notes"


def test_git_stops_where_a_file_system_ends_and_so_does_the_name(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # /dev/shm is a file system of its own; what is looked at tells that /dev is not.
    mount = Path("/dev/shm")
    if not mount.is_mount():
        pytest.skip("no second file system")
    looked_at: list[str] = []
    monkeypatch.setattr("aimond.process.place._is_top", lambda each: bool(looked_at.append(each)))
    assert project("/dev/shm", HOME) == "shm"
    assert looked_at == ["/dev/shm"]


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("", ""),
        ("src/tool", ""),
        ("/", "/"),
        ("//", "/"),
        ("/gone/for/ever", "ever"),
        ("/gone/for/../ever/.", "ever"),
        ("/gone/nul\0byte", "nulbyte"),
        ("/gone/\x1b[31mred\n\u202e", "[31mred"),
        ("/gone/half\udc80", "half"),
        ("/gone/" + "x" * 5000, "x" * 255),
        ("/gone/\n", "/"),
        ("/gone/ü 🦀", "ü 🦀"),
    ],
)
def test_a_directory_that_is_not_there_is_called_by_its_last_part(directory: str, name: str) -> None:
    assert project(directory, HOME) == name


def test_a_tower_of_directories_is_climbed_only_so_far(work: Path) -> None:
    deep = work.joinpath(*["d"] * 70)
    deep.mkdir(parents=True)
    assert project(str(deep), HOME) == "d"
    assert project(str(deep.parents[9]), HOME) == "work"
