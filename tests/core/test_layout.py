"""Facts about the tree that a later change could break without any other test noticing."""

import platform
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_our_platform_folder_does_not_hide_the_standard_library():
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert platform.system() == "Linux" or platform.python_version()


def test_a_web_process_never_loads_torch_or_simpleitk():
    code = (
        "import django, sys; django.setup(); import ctplatform.urls, ctplatform.api_urls;"
        "from django.urls import get_resolver; get_resolver().url_patterns;"
        "print([m for m in ('torch', 'SimpleITK', 'sklearn', 'statsmodels', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "ctplatform.settings.testing", "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_manage_works_from_another_folder(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "check", "--settings", "ctplatform.settings.testing"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_readme_names_every_setting_that_the_environment_can_give():
    readme = (ROOT / "README.md").read_text()
    names = set()
    for path in (ROOT / "platform" / "ctplatform" / "settings").glob("*.py"):
        for line in path.read_text().splitlines():
            if "env." in line and '("' in line:
                names.add(line.split('("')[1].split('"')[0])
    assert len(names) > 10
    missing = sorted(name for name in names if name not in readme)
    assert not missing


@pytest.mark.parametrize(
    "folder", ["platform/ctplatform", "platform/ctplatform/datasets", "synthesis", "readerstudy", "ml"]
)
def test_the_architecture_describes_every_room_and_no_other(folder):
    text = (ROOT / "docs" / "architecture.md").read_text().split(f" (`{folder}/`)")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    described = {name for row in rows for name in row.split("`")[1::2]}
    there = {f"{path.parent.name}/" for path in (ROOT / folder).glob("*/__init__.py")}
    there |= {path.name for path in (ROOT / folder).glob("*.py") if path.name != "__init__.py"}
    assert described - {"weights/", "LOG.md"} == there


def test_the_makefile_describes_every_target_that_the_readme_mentions():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test", "check", "services", "dev", "bench", "openapi", "administrator"):
        assert f"\n{target}:" in makefile, target


def listed(*options):
    command = [sys.executable, "docker/packages.py", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]


def test_images_are_built_by_the_makefiles_own_steps_and_only_workers_have_torch():
    dockerfile, makefile = ((ROOT / name).read_text() for name in ("docker/Dockerfile", "Makefile"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sorted(listed() + listed("--torch")) == sorted(project["dependencies"])
    assert [name.split("==")[0] for name in listed("--torch")] == ["torch"]
    for target, base in (("web", "base"), ("worker", "base-with-torch"), ("worker-cuda", "worker")):
        assert f"FROM {base} AS {target}\n" in dockerfile
    for step in ("npm ci", "npm run --silent build", "-m ctplatform.catalogues compile"):
        assert step in makefile
        assert step in dockerfile


def test_no_template_has_a_line_that_nobody_reads():
    """The formatter indents and never breaks lines: a break changes what a browser shows where words meet tags."""
    folders = ("platform/ctplatform", "readerstudy", "synthesis")
    templates = [path for folder in folders for path in (ROOT / folder).glob("templates/**/*.html")]
    assert len(templates) > 50
    too_long = [
        f"{path.name}:{number}"
        for path in templates
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > 170
    ]
    assert not too_long
