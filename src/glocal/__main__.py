"""`python -m glocal`, which is how torchrun starts the command line."""

from glocal.cli import main

if __name__ == "__main__":
    main()
