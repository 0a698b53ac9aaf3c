"""The ML Test Score: which of its 28 tests run here, by hand or by machine."""
