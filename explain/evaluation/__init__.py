"""What workers compute about explanations: pure functions, numbers in and numbers out."""
