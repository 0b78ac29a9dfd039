"""`make dev`: what is saved takes effect, and no other way of running lets Vite's server into a page."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from ctplatform.launcher import Service
from ctplatform.management.commands.serve import restarted_on_change

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = {
    "DJANGO_SECRET_KEY": "x" * 50,
    "DJANGO_ALLOWED_HOSTS": "ward.example",
    "DJANGO_DATABASE_URL": "postgres://user:password@host/name",
    "DJANGO_CACHE_URL": "rediscache://host:6379/1",
    "CT_BROKER_URL": "redis://host:6379/0",
}


def policy_of(settings, folder):
    code = f"from ctplatform.settings.{settings} import CONTENT_SECURITY_POLICY as policy; print(policy)"
    environment = {**REQUIRED, "CT_VAR_DIR": str(folder), "PYTHONPATH": str(ROOT / "platform")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("settings", ["production", "development", "testing"])
def test_no_other_settings_allow_a_second_origin_or_style_elements(settings, tmp_path):
    policy = policy_of(settings, tmp_path)
    assert "'script-src': [\"'self'\"], 'style-src': [\"'self'\"]" in policy
    assert "http:" not in policy
    assert "ws:" not in policy


def test_pages_under_development_may_load_from_the_port_that_vite_listens_on(tmp_path):
    assert "'script-src': [\"'self'\", 'http://localhost:5173']" in policy_of("live", tmp_path)
    assert "port: 5173, strictPort: true" in (ROOT / "frontend" / "vite.config.ts").read_text()


@pytest.mark.processes
def test_a_process_starts_again_when_a_python_file_is_saved(tmp_path):
    module = tmp_path / "greeting.py"
    module.write_text("WORD = 'before'")
    script = f"import sys, time; sys.path.insert(0, {str(tmp_path)!r}); import greeting; print(greeting.WORD, flush=True); time.sleep(60)"
    argv = restarted_on_change(Service("child", [sys.executable, "-B", "-c", script]), str(tmp_path)).argv
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout.readline() == "before\n"
        seen, patience = [], 1
        while not seen:  # the watch begins a moment after the process
            module.write_text("WORD = 'afterwards'")
            seen, _, _ = select.select([process.stdout], [], [], patience)
            patience *= 2  # each time more than the last start took
        assert process.stdout.readline() == "afterwards\n"
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=120)
        process.stdout.close()
