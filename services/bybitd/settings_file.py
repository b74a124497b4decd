"""The settings as YAML: where the file is, how it is read (errors name the line), what shows it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from bybitd.errors import ConfigError
from bybitd.nearest import nearest
from bybitd.settings import Account, Name, Settings


def search_path(environ: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Yield where a configuration file is looked for when none is named, best first."""
    if named := environ.get("BYBITD_CONFIG"):
        yield Path(named)
        return
    yield Path("bybitd.yaml")
    yield Path("~/.config/bybitd/bybitd.yaml").expanduser()
    yield Path("/etc/bybitd/bybitd.yaml")


def find(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the configuration file to use, or None for the built-in defaults.

    Raises:
        ConfigError: $BYBITD_CONFIG names a file that is not there.
    """
    for path in search_path(environ):
        if path.is_file():
            return path
        if "BYBITD_CONFIG" in environ:
            raise ConfigError(f"{path} is not a file", where="$BYBITD_CONFIG")
    return None


def load(path: Path) -> Settings:
    """Read a configuration file.

    Raises:
        ConfigError: unreadable, no YAML, an unknown key (names the nearest), a wrong type or
            value; each with the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can not be read: {error}", where=str(path)) from None
    return parse(text, str(path))


def parse(text: str, name: str = "configuration") -> Settings:
    """Return the settings that a YAML text describes; `name` is what errors call the text.

    Raises:
        ConfigError: as `load`.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        plain = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"is no YAML: {error.problem}", where=name + line) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"is no YAML: {error}", where=name) from None
    if plain is None:
        return Settings()
    _refuse_duplicates(root, name)
    try:
        return msgspec.convert(plain, Settings, strict=True)
    except msgspec.ValidationError as error:
        raise _located(str(error), root, plain, name) from None


def without_keys(settings: Settings) -> Settings:
    """Return the settings with no more of each key's id than tells it from others."""
    accounts = {
        name: msgspec.structs.replace(account, api_key=f"{account.api_key[:4]}...")
        if account.api_key
        else account
        for name, account in settings.accounts.items()
    }
    return msgspec.structs.replace(settings, accounts=accounts)


def dump(settings: Settings) -> str:
    """Return the settings as YAML, defaults included. There is no secret in it to hide."""
    return str(yaml.safe_dump(msgspec.to_builtins(settings), sort_keys=False))


def line_of(text: str, key: str) -> int | None:
    """Return the line of a dotted key (`feeds.linear.topics[0]`) in a YAML text that can be parsed;
    None where neither it nor what it belongs to is written there.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    node, _ = _walk(root, re.findall(r"[^.\[\]]+", key))
    return None if node is None or node is root else node.start_mark.line + 1


def _refuse_duplicates(node: yaml.Node | None, name: str) -> None:
    # PyYAML lets the last of two equal keys win in silence.
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise ConfigError(
                    f"the key {key.value!r} stands twice",
                    where=f"{name}:{key.start_mark.line + 1}",
                    hint="keep one of them",
                )
            seen.add(key.value)
            _refuse_duplicates(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(item, name)


def _located(message: str, root: yaml.Node | None, plain: Any, name: str) -> ConfigError:
    text, _, path = message.partition(" - at `")
    keys = [word or index for word, index in re.findall(r"\.([^.\[\]`]+)|\[(\d+|\.\.\.)\]", path)]
    if "..." in keys and keys[0] == "accounts":  # msgspec does not say which key it means
        keys[keys.index("...")] = _wrong_account(plain)
    node, dotted = _walk(root, keys)
    hint = ""
    if unknown := re.search(r"unknown field `(.+?)`", text):
        word = unknown.group(1)
        known = _fields_at(dotted)
        near = nearest(word, known, 0.5)
        hint = f"did you mean {near!r}?" if near else f"known here: {', '.join(known)}"
        text = f"unknown key {word!r}" + (f" in {'.'.join(dotted)}" if dotted else "")
        node = _key_node(node, word) or node
    elif dotted:
        text = f"{'.'.join(dotted)}: {text[0].lower()}{text[1:]}"
    line = f":{node.start_mark.line + 1}" if node is not None else ""
    return ConfigError(text, where=name + line, hint=hint)


def _wrong_account(plain: Any) -> str:
    for account, value in plain["accounts"].items():
        try:
            msgspec.convert({account: value}, dict[Name, Account], strict=True)
        except msgspec.ValidationError:
            return str(account)
    return ""


def _walk(root: yaml.Node | None, keys: list[str]) -> tuple[yaml.Node | None, list[str]]:
    node, dotted = root, []
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            found = next((value for name, value in node.value if name.value == key), None)
        elif isinstance(node, yaml.SequenceNode) and key.isdigit():
            found = node.value[int(key)]
        else:
            found = None
        dotted.append(key)
        if found is None:
            break
        node = found
    return node, dotted


def _key_node(node: yaml.Node | None, word: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((key for key, _ in node.value if key.value == word), None)


def _fields_at(dotted: list[str]) -> list[str]:
    section: Any = Account if dotted[:1] == ["accounts"] else Settings
    for key in dotted:
        kind = next((f.type for f in msgspec.structs.fields(section) if f.name == key), None)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            section = kind
    return [field.name for field in msgspec.structs.fields(section)]
