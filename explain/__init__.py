"""What an explanation is: numbers in, numbers out."""
