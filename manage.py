#!/usr/bin/env python
"""The one entry for every command; `manage.py help` lists them."""

import argparse
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailhost.settings")
    # SQLite makes a database as this has it, and the home may be older than we are, and open.
    os.umask(0o077)
    if sys.argv[1:2] == ["up"]:
        _choose_home(sys.argv[2:])
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


def _choose_home(arguments: list[str]) -> None:
    """`up --home DIR` has to be known before the settings are read, for they make the key."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--home")
    try:
        home = parser.parse_known_args(arguments)[0].home
    except argparse.ArgumentError:
        # The command tells what is wrong with it.
        return
    if home:
        os.environ["MAILHOST_HOME"] = os.path.abspath(home)


if __name__ == "__main__":
    main()
