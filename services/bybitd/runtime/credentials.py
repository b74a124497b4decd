"""The key of an account: from the files or variables that the settings name, never from them.

What is read is hidden from the log before it is used. The files are read again by each process
when it starts; nothing of them is kept but the means to sign.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bybitd import log
from bybitd.errors import ConfigError
from bybitd.runtime.exchange import read_keys
from bybitd.settings import Account, Settings
from bybitd.venue.errors import KeyFormatError
from bybitd.venue.sign import Key


def key(
    settings: Settings,
    account: str,
    run_dir: Path,
    environ: Mapping[str, str] = os.environ,
) -> Key | None:
    """Return the key of an account; None while the simulator has not made it yet.

    Raises:
        ConfigError: nothing names the key or the secret, a file can not be read, a variable is not
            set, or the secret can not sign.
    """
    if settings.environment == "sim" and account not in settings.simulator.public_keys:
        found = next((item for item in read_keys(run_dir) if item.account == account), None)
        if found is None:
            return None
        _hide(found.api_secret)
        return Key(found.api_key, found.api_secret)
    source = settings.accounts[account]
    secret, key_id = _secret(account, source, environ), _key_id(account, source, environ)
    _hide(secret)
    log.hide(key_id)
    try:
        return Key(key_id, secret)
    except KeyFormatError as error:
        raise ConfigError(str(error), where=f"accounts.{account}") from None


def check(settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
    """See that every account has a usable key, before anything is started.

    Raises:
        ConfigError: as `key`, for the first account that has none.
    """
    for account in settings.accounts:
        if settings.environment != "sim" or account in settings.simulator.public_keys:
            key(settings, account, Path(), environ)


def _hide(secret: str) -> None:
    # A private key has many lines, each of which is worth hiding.
    for part in (secret, *secret.splitlines()):
        if not part.startswith("-----"):
            log.hide(part)


def _key_id(account: str, source: Account, environ: Mapping[str, str]) -> str:
    if source.api_key:
        return source.api_key
    return _read(account, "api_key", source.api_key_file, source.api_key_env, environ)


def _secret(account: str, source: Account, environ: Mapping[str, str]) -> str:
    return _read(account, "api_secret", source.api_secret_file, source.api_secret_env, environ)


def _read(account: str, what: str, file: str, variable: str, environ: Mapping[str, str]) -> str:
    where = f"accounts.{account}"
    if file:
        path = _located(file, environ)
        try:
            return path.read_text(encoding="ascii").strip()
        except UnicodeDecodeError:
            raise ConfigError(f"{path} is no plain text", where=f"{where}.{what}_file") from None
        except OSError as error:
            raise ConfigError(
                f"{path} can not be read: {error.strerror}", where=f"{where}.{what}_file"
            ) from None
    if variable:
        value = environ.get(variable, "").strip()
        if not value:
            raise ConfigError(f"${variable} is not set", where=f"{where}.{what}_env")
        return value
    raise ConfigError(
        f"nothing says where the {what.replace('_', ' ')} is",
        where=where,
        hint=f"set {what}_file or {what}_env",
    )


def _located(file: str, environ: Mapping[str, str]) -> Path:
    path = Path(file).expanduser()
    if not path.is_absolute() and (folder := environ.get("CREDENTIALS_DIRECTORY")):
        return Path(folder) / path
    return path.absolute()
