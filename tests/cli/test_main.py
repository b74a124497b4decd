"""Exit codes and messages of the command line, where no daemon runs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bybitd.cli.exits import CONFIG, FAILED, OK, UNREACHABLE, USAGE
from bybitd.cli.main import main
from bybitd.settings import Settings

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["restart", "bus"],
        ["sub", "linear.tickers.BTCUSDT."],
        ["book", "BTCUSDT"],
        ["order", "create", "category=linear"],
        ["order", "list"],
        ["order", "status", "x"],
        ["positions"],
        ["wallet"],
    ],
    ids=" ".join,
)
def test_without_a_daemon_a_verb_says_so_and_does_nothing(
    words: list[str], folder: Path, capsys: Capture
) -> None:
    assert main([*words, "--run-dir", str(folder)]) == UNREACHABLE
    said = capsys.readouterr().err
    assert str(folder) in said
    assert "bybitd up" in said


def test_with_json_the_complaint_is_a_document_too(folder: Path, capsys: Capture) -> None:
    assert main(["status", "--json", "--run-dir", str(folder)]) == UNREACHABLE
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["error"]["kind"] == "unreachable"


def test_down_without_a_daemon_is_no_error(folder: Path, capsys: Capture) -> None:
    assert main(["down", "--run-dir", str(folder)]) == OK
    assert "no daemon" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("feeds:\n  linear:\n    enabeld: true\n", ["bybitd.yaml:3", "'enabeld'", "'enabled'"]),
        ("log:\n  level: loud\n", ["bybitd.yaml:2", "log.level"]),
        ("simulator:\n  port: eight\n", ["bybitd.yaml:2", "simulator.port"]),
        ("environment: [\n", ["bybitd.yaml", "YAML"]),
        ("environment: testnet\n", ["accounts.main", "api_secret_file"]),
    ],
    ids=["unknown key", "wrong value", "wrong type", "no YAML", "no secret"],
)
@pytest.mark.parametrize("verb", [["config", "check"], ["up"], ["up", "-d"]], ids=" ".join)
def test_a_wrong_configuration_is_78_with_the_place_and_costs_nothing(
    verb: list[str], text: str, said: list[str], folder: Path, capsys: Capture
) -> None:
    file = folder / "bybitd.yaml"
    file.write_text(text)
    run_dir = folder / "run"
    assert main([*verb, "--config", str(file), "--run-dir", str(run_dir)]) == CONFIG
    error = capsys.readouterr().err
    assert all(word in error for word in said), error
    assert not run_dir.exists()


@pytest.mark.parametrize("verb", [["config", "check"], ["up"], ["up", "-d"]], ids=" ".join)
def test_a_run_folder_that_is_too_long_is_78(
    verb: list[str], folder: Path, capsys: Capture
) -> None:
    assert main([*verb, "--run-dir", str(folder / ("x" * 100))]) == CONFIG
    assert "--run-dir" in capsys.readouterr().err


def test_config_names_a_file_that_is_not_there(folder: Path, capsys: Capture) -> None:
    assert main(["config", "show", "--config", str(folder / "nowhere.yaml")]) == CONFIG
    assert "nowhere.yaml" in capsys.readouterr().err


def test_config_init_writes_a_good_example_and_overwrites_nothing(
    folder: Path, capsys: Capture
) -> None:
    assert main(["config", "init"]) == OK
    assert main(["config", "check"]) == OK  # found in the current folder
    assert "bybitd.yaml: good" in capsys.readouterr().out
    (folder / "bybitd.yaml").write_text("environment: sim\n")
    assert main(["config", "init"]) == FAILED
    assert "--force" in capsys.readouterr().err
    assert (folder / "bybitd.yaml").read_text() == "environment: sim\n"
    assert main(["config", "init", "--force"]) == OK
    assert "feeds:" in (folder / "bybitd.yaml").read_text()


def test_config_show_can_be_loaded_again(folder: Path, capsys: Capture) -> None:
    from bybitd import settings_file

    assert main(["config", "show"]) == OK
    assert settings_file.parse(capsys.readouterr().out) == Settings()
    assert main(["config", "show", "--json"]) == OK
    assert json.loads(capsys.readouterr().out)["settings"]["environment"] == "sim"


def test_version_tells_the_versions(capsys: Capture) -> None:
    assert main(["version", "--json"]) == OK
    assert {"bybitd", "protocol", "libzmq"} <= json.loads(capsys.readouterr().out).keys()
    assert main(["version"]) == OK
    assert capsys.readouterr().out.startswith("bybitd ")


@pytest.mark.parametrize("words", [[], ["fly"], ["order"], ["order", "cretae"], ["sub"]], ids=str)
def test_wrong_usage_is_2(words: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == USAGE
    assert "usage:" in capsys.readouterr().err


def test_help_explains_the_exit_codes(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == OK
    assert "78   the configuration is wrong" in capsys.readouterr().out


def test_a_program_that_is_not_configured_is_78_and_so_not_restarted(folder: Path) -> None:
    ended = run_program("public-feed-moon", folder)
    assert ended.returncode == CONFIG
    assert "public-feed-linear" in ended.stderr


def test_a_program_whose_parent_has_gone_does_not_start(folder: Path) -> None:
    ended = run_program("bus", folder, "--parent", "1")
    assert ended.returncode == FAILED
    assert "parent" in ended.stderr
    assert not (folder / "bus.events").exists()


def test_a_process_of_the_daemon_loads_no_other_verb_and_no_other_process(folder: Path) -> None:
    code = (
        "import sys; from bybitd.cli import run; run.importlib.import_module('bybitd.bus.main');"
        "print([m for m in sys.modules if m.startswith(('bybitd.net.rest', 'websocket', 'aiohttp',"
        " 'supervisor', 'urllib3', 'bybitd.simulator', 'bybitd.cli.daemon', 'argcomplete'))])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert ended.stdout == "[]\n", ended.stdout + ended.stderr


def run_program(program: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = ["run", program, "--run-dir", str(folder), "--state-dir", str(folder), *more]
    return subprocess.run(
        [sys.executable, "-m", "bybitd.cli.main", *words],
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_sim_on_an_occupied_port_says_what_to_do(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "bybitd.cli.main", "sim", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=50,
        )
    assert ended.returncode == FAILED
    assert "--port" in ended.stderr


def test_sim_introduces_itself_and_ends_on_a_signal() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bybitd.cli.main", "sim", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        known = json.loads(process.stdout.readline())
        host, _, port = known["rest"].removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10):
            pass
        assert known["api_key"]
        process.terminate()
        assert process.wait(20) == OK
    finally:
        process.kill()
        process.communicate()
