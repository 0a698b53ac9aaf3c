"""Rules on small changes since the champion was trained: steps of daily shares and means."""
