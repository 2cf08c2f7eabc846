"""Where the command line begins: the script `keras-acl`, and `python -m keras_acl`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it without a word, even before it has begun."""
    try:
        from keras_acl.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT, the shell's habit


if __name__ == "__main__":
    main()
