"""The command line: thin commands and the live display."""
