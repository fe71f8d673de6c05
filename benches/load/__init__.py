"""What `benches/homeserver` is made of."""
