"""A keyring in a file: `PYTHON_KEYRING_BACKEND=tests.config.file_keyring.FileKeyring`, and `FILE_KEYRING=PATH`."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend


class FileKeyring(KeyringBackend):
    """Passwords by service and user, as JSON."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def get_password(self, service: str, username: str) -> str | None:
        found: str | None = self._read().get(service, {}).get(username)
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        passwords = self._read()
        passwords.setdefault(service, {})[username] = password
        self._path.write_text(json.dumps(passwords))

    @property
    def _path(self) -> Path:
        return Path(os.environ["FILE_KEYRING"])

    def _read(self) -> dict[str, dict[str, str]]:
        passwords: dict[str, dict[str, str]] = json.loads(self._path.read_text()) if self._path.exists() else {}
        return passwords
