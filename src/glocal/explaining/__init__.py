"""What a network looked at in a picture, and how local or global it is."""
