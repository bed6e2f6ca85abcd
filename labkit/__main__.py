"""python3 -m labkit ...: the way in. Every Python can read it: an old one gets a sentence instead of a traceback.

Keep this file free of new syntax (and of characters outside ASCII): a test reads it as an old Python would.
"""

import sys

NEEDED = (3, 11)
EXIT_CODE = 7  # the same as labkit.base.errors.SetupError


def main():
    """Leave at once on an old Python; else hand over to the bootstrap. Returns the exit code."""
    if tuple(sys.version_info[:2]) < NEEDED:
        sys.stderr.write(
            "labkit: The course needs Python {0}.{1} or newer. This is Python {2}.{3} ({4}).\n"
            "  Cure: call a newer one by its name (python3.12 -m labkit), or install one first "
            "(apt, Homebrew, conda and uv all have it)\n".format(
                *(NEEDED + tuple(sys.version_info[:2]) + (sys.executable,))
            )
        )
        return EXIT_CODE
    from labkit.bootstrap.enter import main as enter

    return enter(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
