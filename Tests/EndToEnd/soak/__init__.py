"""A server under everything at once for as long as wanted, and its books afterwards: see README.md."""
