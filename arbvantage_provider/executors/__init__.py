"""Calls that run elsewhere: how they are sent, and a pool of processes for them."""
