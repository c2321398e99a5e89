"""What the source must not contain, what a wheel needs, and that no password reaches a file, a log or a message."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import glocal
from campaigns.conftest import parts_left
from campaigns.test_kills import STUDY
from postgres import postgres_server

ROOT = Path(glocal.__file__).parent
REPOSITORY = Path(__file__).parents[2]
MODULES = sorted(ROOT.rglob("*.py"))
FORBIDDEN = {
    "eval": "runs text",
    "exec": "runs text",
    "compile": "makes text into what runs",
    "__import__": "imports by a text",
    "pickle.load": "runs what a file says",
    "pickle.loads": "runs what a file says",
    "pickle.Unpickler": "runs what a file says",
    "marshal.loads": "runs what a file says",
    "shelve.open": "is pickle",
    "os.system": "is a shell",
    "os.popen": "is a shell",
    "subprocess.getoutput": "is a shell",
    "subprocess.getstatusoutput": "is a shell",
    "tempfile.mktemp": "names a file that another may make first",
}


def safe_loaders(tree: ast.Module) -> set[str]:
    """The loaders of YAML that make plain data only: PyYAML's own, and those that a module derives from them."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    own = {node.name for node in classes if {ast.unparse(base) for base in node.bases} == {"yaml.SafeLoader"}}
    return {"yaml.SafeLoader", "yaml.BaseLoader"} | own


def used(loader: str) -> set[str]:
    """The loaders that an expression such as `A if plain else B` chooses among."""
    return {*re.split(r" if .+? else ", loader)}


def reasons(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name, given = ast.unparse(call.func), {word.arg: ast.unparse(word.value) for word in call.keywords}
        where = f"{path.relative_to(ROOT)}:{call.lineno}: {name}"
        if name in FORBIDDEN:
            yield f"{where} {FORBIDDEN[name]}"
        if given.get("shell") not in (None, "False"):
            yield f"{where} is a shell"
        if given.get("allow_pickle") not in (None, "False"):
            yield f"{where} may be pickle"
        if name in ("yaml.load", "yaml.load_all") and not used(given.get("Loader", "")) <= safe_loaders(tree):
            yield f"{where} makes any object"
        if name in ("yaml.unsafe_load", "yaml.full_load"):
            yield f"{where} makes any object"
        if name == "torch.load" and given.get("weights_only") != "True":
            yield f"{where} runs what a file says"
        if name.endswith(".extractall") and given.get("filter") != "'data'":
            yield f"{where} may write anywhere"


def test_the_source_runs_no_text_no_pickle_and_no_shell():
    assert len(MODULES) > 300
    assert [reason for path in MODULES for reason in reasons(path)] == []


def test_the_rules_find_what_they_forbid(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    bad = [
        "eval(x)",
        "exec(x)",
        "import pickle; pickle.load(f)",
        "subprocess.run(x, shell=True)",
        "os.system(x)",
        "yaml.load(x, Loader=yaml.Loader)",
        "yaml.load(x)",
        "yaml.unsafe_load(x)",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "np.load(f, allow_pickle=True)",
        "tar.extractall(x)",
    ]
    good = [
        "model.eval()",
        "yaml.safe_load(x)",
        "torch.load(f, weights_only=True)",
        "yaml.load(x, Loader=yaml.SafeLoader)",
        "yaml.load(x, Loader=yaml.BaseLoader if plain else yaml.SafeLoader)",
        "re.compile(x)",
    ]
    for text, n in [*((text, 1) for text in bad), *((text, 0) for text in good)]:
        (tmp_path / "a.py").write_text(text)
        assert len([*reasons(tmp_path / "a.py")]) == n, text


def test_no_module_unpickles():
    """One names pickle's error, which torch raises."""
    for path in MODULES:
        text = path.read_text()
        assert not re.search(
            r"^\s*(?:from pickle|(?:import|from) (?:dill|cloudpickle|marshal|shelve)\b)", text, re.MULTILINE
        ), path
        assert {*re.findall(r"\bpickle\.\w+", text)} <= {"pickle.UnpicklingError"}, path


def test_files_of_a_run_can_be_read_by_others_and_only_written_by_their_owner(forks, pixels, tmp_path, run):
    wrong = [path for path in run.rglob("*") if path.stat().st_mode & 0o777 != (0o755 if path.is_dir() else 0o644)]
    assert not wrong
    assert not parts_left(run)


def test_the_list_of_licences_is_that_of_the_packages_that_are_named():
    done = subprocess.run(
        [sys.executable, REPOSITORY / "tools" / "licences.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_bill_of_materials_names_every_package_that_glocal_needs(tmp_path):
    command = [sys.executable, REPOSITORY / "tools" / "sbom.py", tmp_path / "sbom.json"]
    subprocess.run(command, check=True, capture_output=True)
    bill = json.loads((tmp_path / "sbom.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "glocal"
    listed = {re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"] for each in bill["components"]}
    for line in tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]:
        name = Requirement(line).name
        assert listed[name] == metadata.version(name)


# --------------------------------------------------------------------------------------------------------- passwords

SECRET = "s3cr3t-w0rd"


@pytest.fixture
def guarded_postgres():
    """A server of PostgreSQL that asks for a password."""
    with postgres_server(SECRET) as server:
        yield f"{server.place}/postgres"


@pytest.mark.slow
@pytest.mark.campaign
def test_the_password_of_a_storage_is_in_no_file_and_no_message(forks, pixels, tmp_path, guarded_postgres):
    (tmp_path / "kernels.yaml").write_text(STUDY)
    words = [
        "study",
        tmp_path / "kernels.yaml",
        pixels,
        "--scale",
        "paper",
        "--seeds",
        1,
        "--workers",
        2,
        "--output",
        tmp_path / "out",
    ]
    url = f"postgresql://postgres:{SECRET}@{guarded_postgres}"
    end = forks.run(*words, "--name", "x", "--storage", url).well()
    said = [end.text, forks.run("report", tmp_path / "out" / "x").well().text]
    without = forks.run("study", "--resume", tmp_path / "out" / "x")
    assert without.is_named(), without.text
    said += [
        without.text,
        forks.run("study", "--resume", tmp_path / "out" / "x", env={"PGPASSWORD": SECRET}).well().text,
    ]
    said.append(forks.run(*words, "--name", "y", "--storage", url.replace(SECRET, "wr0ng-w0rd")).text)
    said.append(forks.run("work", url.replace("/postgres", "/nowhere")).text)
    assert "glocal-test" not in "".join(said)
    for text in said:
        assert SECRET not in text
        assert "wr0ng-w0rd" not in text
    holding = [
        path for path in (tmp_path / "out").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    assert holding == []
