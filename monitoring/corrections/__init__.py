"""What online corrections say of the model below them: slices that they keep moving, and corrections that stopped."""
