"""`python -m loadlab`: the command line."""

from loadlab.cli.main import main

if __name__ == "__main__":
    main()
