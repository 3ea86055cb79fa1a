"""The `loadlab` command, and `python -m loadlab`."""

import signal


def main() -> None:
    """Run the command line; Ctrl-C while that is imported ends it without a word, as SIGTERM does."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from loadlab.cli.main import main as command  # noqa: PLC0415  (it takes a while)

    command()


if __name__ == "__main__":
    main()
