"""librdkafka: bindings, the compiled produce and consume loops, property checks."""
