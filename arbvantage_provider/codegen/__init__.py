"""Types and values as Python source: how they are spelled, named and laid out."""
