"""What ships beside the code is found, is good, and says what the code does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from bybitd import settings_file
from bybitd.cli import shipped
from bybitd.errors import StartError
from bybitd.settings import Settings

UNIT = "systemd/bybitd.service"


def keys(tree: Any, prefix: str = "") -> set[str]:
    if not isinstance(tree, dict):
        return set()
    found = set()
    for key, value in tree.items():
        found |= {f"{prefix}{key}"} | keys(value, f"{prefix}{key}.")
    return found


def test_the_example_states_the_defaults() -> None:
    assert settings_file.load(shipped.find("etc/bybitd.yaml")) == Settings()


def test_the_example_shows_every_key_there_is() -> None:
    shown = yaml.safe_load(shipped.find("etc/bybitd.yaml").read_text())
    assert keys(shown) == keys(msgspec.to_builtins(Settings()))


def test_the_example_explains_every_section() -> None:
    text = shipped.find("etc/bybitd.yaml").read_text()
    for name in msgspec.to_builtins(Settings()):
        before = text[: re.search(rf"^{name}:", text, re.MULTILINE).start()]  # type: ignore[union-attr]
        inside = text[len(before) :].split("\n\n")[0]
        assert before.rstrip().rpartition("\n")[2].startswith("#") or "#" in inside, name


def test_a_file_that_does_not_ship_is_named_with_where_it_was_looked_for() -> None:
    with pytest.raises(StartError, match=r"etc/nothing\.yaml is missing.*share/bybitd"):
        shipped.find("etc/nothing.yaml")


def test_an_installed_wheel_finds_its_files_by_its_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "lib/python3/site-packages/bybitd/cli"
    package.mkdir(parents=True)
    data = tmp_path / "share/bybitd/etc"
    data.mkdir(parents=True)
    (data / "bybitd.yaml").write_text("environment: sim\n")

    class Recorded:
        def __str__(self) -> str:
            return "../../../share/bybitd/etc/bybitd.yaml"

        def locate(self) -> Path:
            return tmp_path / "lib/python3/site-packages" / str(self)

    monkeypatch.setattr(shipped, "__file__", str(package / "shipped.py"))
    monkeypatch.setattr(shipped, "files", lambda _name: [Recorded()])
    assert shipped.find("etc/bybitd.yaml").read_text() == "environment: sim\n"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_accepts_the_unit() -> None:
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(shipped.find(UNIT))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="no systemd here")
def test_systemd_accepts_the_user() -> None:
    file = str(shipped.find("systemd/bybitd.sysusers"))
    made = subprocess.run(
        ["systemd-sysusers", "--dry-run", file], capture_output=True, text=True, timeout=60
    )
    assert made.returncode == 0, made.stderr


def test_the_unit_leaves_a_wrong_configuration_alone_and_lets_the_supervisor_end_in_order() -> None:
    unit = shipped.find(UNIT).read_text()
    assert "RestartPreventExitStatus=78" in unit
    assert "KillMode=mixed" in unit
    assert "RuntimeDirectoryMode=0750" in unit
    assert "StateDirectoryMode=0700" in unit
