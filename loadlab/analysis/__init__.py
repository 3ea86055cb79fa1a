"""What results say: thresholds, statistics, comparison, reports."""
