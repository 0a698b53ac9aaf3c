"""The erasure of one key's rows on request, with a receipt."""
