"""A finished run outside of its sweep: loaded to act with, or exported as a file."""
