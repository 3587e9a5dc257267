"""What an applicant may be told to change: the constraints and their one checker."""
