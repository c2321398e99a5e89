"""What is wrong with pictures, found before the first step."""
