"""What is sent: schedules, payloads and keys."""
