"""Set up the Python environment of this checkout; the make targets run this first.

Usage: python3 underlay/setup_environment.py [--venv FOLDER]

Apart from the version check everything is in environment_plan.py (what is due) and
environment_steps.py (doing it), for an older Python could not even read those.
"""

import sys


def main():
    """Check the interpreter's version, then set up; return the exit status."""
    if sys.version_info < (3, 10):
        sys.stderr.write(
            'set-up: expected Python 3.10 or newer, got {} at {}. Name a newer one: '
            '"make setup PYTHON=/path/to/python3"\n'.format(sys.version.split()[0], sys.executable)
        )
        return 1
    import environment_steps

    return environment_steps.main()


if __name__ == '__main__':
    sys.exit(main())
