"""What comes in requests and goes out in answers, as values. Knows no queue."""
