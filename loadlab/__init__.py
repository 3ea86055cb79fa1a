"""loadlab: a load-testing and performance-tuning lab for Apache Kafka."""

__version__ = "0.1.0"
