"""The command line without its script: `python -m keras_acl`."""

from keras_acl.cli import main

if __name__ == "__main__":
    main()
