"""Signatures to call plans, made once, and calling handlers by them."""
