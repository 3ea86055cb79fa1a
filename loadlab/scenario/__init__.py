"""The scenario file: model, errors with line numbers, overrides, JSON Schema."""
