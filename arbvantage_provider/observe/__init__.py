"""What operators see, and what they never see."""
