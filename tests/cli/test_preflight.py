"""Everything wrong is said before anything starts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bybitbus.endpoints import BinderLock
from bybitbus.errors import AddressInUse, PathTooLong
from bybitd.cli import preflight
from bybitd.cli.place import Place
from bybitd.errors import ConfigError, StartError
from bybitd.settings import Account, Settings


def test_the_defaults_pass_and_make_closed_folders(here: Place) -> None:
    preflight.check_configuration(here)
    preflight.prepare_folders(here)
    preflight.check_addresses(here)
    assert here.run_dir.stat().st_mode & 0o777 == 0o750
    assert here.state_dir.stat().st_mode & 0o777 == 0o700
    assert (here.state_dir / "log").is_dir()
    preflight.prepare_folders(here)  # those that are there already


@pytest.mark.parametrize("environment", ["testnet", "demo", "mainnet"])
def test_an_account_without_a_secret_is_refused_where_orders_leave_this_machine(
    here: Place, environment: str
) -> None:
    settings = Settings(environment=environment, accounts={"main": Account(api_key="k")})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"accounts\.main.*secret.*api_secret_file"):
        preflight.check_configuration(replace(here, settings=settings))


def test_an_unknown_region_is_refused(here: Place, folder: Path) -> None:
    secret = folder / "secret"
    secret.write_text("abcdefgh")
    account = Account(api_key="k", api_secret_file=str(secret))
    settings = Settings(environment="testnet", accounts={"main": account})
    preflight.check_configuration(replace(here, settings=settings))
    settings = Settings(environment="testnet", region="atlantis", accounts={"main": account})
    with pytest.raises(ConfigError, match=r"region.*atlantis"):
        preflight.check_configuration(replace(here, settings=settings))


def test_a_run_folder_that_is_too_long_for_sockets_is_refused_with_the_way_out(
    here: Place, folder: Path
) -> None:
    with pytest.raises(PathTooLong, match="--run-dir"):
        preflight.check_paths(replace(here, run_dir=folder / ("x" * 90)))


def test_the_longest_account_name_counts(here: Place, folder: Path) -> None:
    run_dir = folder / ("x" * (107 - len(str(folder)) - 2 - len("order-execution-main.requests")))
    preflight.check_paths(replace(here, run_dir=run_dir))
    settings = Settings(accounts={"main": Account(), "main-2": Account()})
    with pytest.raises(PathTooLong):
        preflight.check_paths(replace(here, run_dir=run_dir, settings=settings))


@pytest.mark.parametrize("name", ["a%b", "a;b", "a#b", 'a"b', "a'b", "a\nb"])
def test_a_folder_that_supervisor_could_not_read_is_refused(
    here: Place, folder: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match="choose another"):
        preflight.check_paths(replace(here, state_dir=folder / name))


def test_a_file_in_place_of_a_folder_is_refused(here: Place) -> None:
    here.run_dir.write_text("")
    with pytest.raises(StartError, match=r"is no folder.*--run-dir"):
        preflight.prepare_folders(here)


def test_a_folder_that_others_can_write_to_is_refused_and_not_changed(here: Place) -> None:
    here.run_dir.mkdir()
    (here.run_dir / "somebody's").touch()
    here.run_dir.chmod(0o777)
    with pytest.raises(StartError, match=r"others can write.*chmod 750"):
        preflight.prepare_folders(here)
    assert here.run_dir.stat().st_mode & 0o777 == 0o777


def test_an_empty_folder_of_ours_is_closed(here: Place) -> None:
    here.run_dir.mkdir()
    here.run_dir.chmod(0o755)
    preflight.prepare_folders(here)
    assert here.run_dir.stat().st_mode & 0o777 == 0o750


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(here: Place) -> None:
    here.state_dir.mkdir()
    os.chown(here.state_dir, 65534, 65534)
    with pytest.raises(StartError, match=r"belongs to user 65534.*--state-dir"):
        preflight.prepare_folders(here)


def test_an_address_that_a_process_holds_is_refused_with_its_name(here: Place) -> None:
    preflight.prepare_folders(here)
    with (
        BinderLock(here.run_dir, "public-feed-linear"),
        pytest.raises(AddressInUse, match=f"process {os.getpid()}"),
    ):
        preflight.check_addresses(here)
    preflight.check_addresses(here)
