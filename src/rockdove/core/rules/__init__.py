"""What users may do, decided within the transaction that does it."""
