"""What is sent: schedules, payloads, keys and the record stamp."""
