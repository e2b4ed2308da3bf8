"""What to do about errors of whatever is outside of this process."""
