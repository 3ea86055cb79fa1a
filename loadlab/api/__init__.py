"""What `import loadlab` offers, see docs/python.md; each name is imported when it is asked for."""
