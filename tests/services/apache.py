"""Apache httpd, as Debian has it, with a configuration of the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.oracles.corpora import missing

from .servers import run, wait_until_listening

MODULES = Path("/usr/lib/apache2/modules")
USUAL = (
    "mpm_event", "authz_core", "alias", "mime", "dir", "setenvif", "headers", "rewrite", "allowmethods", "proxy",
    "proxy_http", "cache", "cache_disk",
)  # fmt: skip
"""What configurations of ours ask for, and what Debian has on by default of what bears on files."""
# The types of the system are those of a machine that is like others, for a configuration must overrule them.
AROUND = """
ServerRoot "{folder}"
PidFile "{folder}/apache.pid"
ServerName localhost
DefaultRuntimeDir "{folder}"
{modules}
<IfModule mime_module>
TypesConfig /etc/mime.types
</IfModule>
<IfModule cache_disk_module>
CacheRoot "{folder}/cache"
</IfModule>
ErrorLog "{folder}/error.log"
<Directory />
    Require all denied
</Directory>
# As Debian's PHP does it.
<FilesMatch ".+\\.ph(?:ar|p|tml)$">
    SetHandler "proxy:http://127.0.0.1:9"
</FilesMatch>
{given}
"""


def program() -> str:
    """The path of Apache, or the test is skipped."""
    found = shutil.which("apache2", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None or not (MODULES / "mod_xsendfile.so").exists():
        missing("Apache is not installed (Debian: apt-get install apache2 libapache2-mod-xsendfile)")
    return found


def write_apache(folder: Path, given: str, modules: Iterable[str] = USUAL) -> Path:
    """The file of the whole configuration, with ``given`` in it; it is in ``folder``."""
    lines = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in modules)
    (folder / "cache").mkdir(exist_ok=True)
    path = folder / "apache.conf"
    path.write_text(AROUND.format(folder=folder, modules=lines, given=given), encoding="utf-8")
    return path


def check_apache(folder: Path, given: str, modules: Iterable[str] = USUAL) -> str:
    """What ``apachectl configtest`` says against ``given``; empty if nothing."""
    command = [program(), "-t", "-f", str(write_apache(folder, given, modules))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 and done.stderr.strip() == "Syntax OK" else done.stdout + done.stderr


@contextlib.contextmanager
def run_apache(
    folder: Path, given: str, port: int, modules: Iterable[str] = USUAL
) -> Iterator[subprocess.Popen[bytes]]:
    """Apache, running, with ``given`` in its configuration, and listening at ``port``; what it writes is in ``folder``.

    ``given`` says ``Listen`` itself. Nothing on the disk is allowed that it does not allow. Without mod_unixd its
    workers stay who we are, and may read the folders of tests.
    """
    path, log = write_apache(folder, given, modules), folder / "log.txt"
    with log.open("wb") as out, run([program(), "-f", str(path), "-DFOREGROUND"], out, folder) as process:
        wait_until_listening(port, process, log)
        yield process
