"""HTTP in, receipts out."""
